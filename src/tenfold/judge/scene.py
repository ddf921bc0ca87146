"""Where the checks look: a workspace, what is known of it, and the sources that a criterion names."""

from dataclasses import dataclass
from functools import cached_property

from tenfold.judge.calls import is_writer
from tenfold.judge.collector import held_back
from tenfold.judge.facts import Code
from tenfold.judge.kinds import CODE
from tenfold.judge.known import Known
from tenfold.judge.types import Evidence
from tenfold.judge.weighing import ABSENT
from tenfold.judge.workspace import Workspace

__all__ = ["Part", "Scene", "Where", "absent"]


@dataclass(frozen=True)
class Part:
    """One thing that a criterion asks for, and how likely it is there.

    Attributes:
        probability: in [0, 1].
        evidence: for and against.
        missing: what would decide it, one sentence, or empty.
    """

    probability: float
    evidence: tuple[Evidence, ...]
    missing: str = ""


class Scene:
    """A workspace and what is known of it: what all checks of all its requirements look things up in."""

    def __init__(self, workspace: Workspace, known: Known, criteria: tuple[str, ...] = ()) -> None:
        self.workspace = workspace
        self.known = known
        self.criteria = list(criteria)

    @cached_property
    def sources(self) -> dict[str, Code]:
        """Every source file that has facts, also notebooks and pages, by path."""
        paths = [path for path, info in self.workspace.files.items() if info.kind in CODE]
        self.known.prepare(paths)
        with held_back():
            found = {path: self.known[path].code for path in paths}
        return {path: code for path, code in found.items() if code is not None}

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Last part of a path, in small letters -> paths."""
        found: dict[str, list[str]] = {}
        for path in self.workspace.files:
            found.setdefault(path.rsplit("/", 1)[-1].lower(), []).append(path)
        return found

    @cached_property
    def modules(self) -> frozenset[str]:
        """Names by which the workspace's own Python files can be imported."""
        found: set[str] = set()
        for path in self.sources:
            parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
            names = {".".join(parts[start:]) for start in range(len(parts))}
            found |= names | {f".{name}" for name in names}
        return frozenset(found)

    @cached_property
    def called(self) -> frozenset[str]:
        """Names that stand in live code anywhere: what is not among them is used by nobody."""
        return frozenset(name for code in self.sources.values() for name in code.names)

    @cached_property
    def written(self) -> dict[str, tuple[str, int]]:
        """Last part of a path that some code writes, or a piece of one -> where."""
        found: dict[str, tuple[str, int]] = {}
        for path, code in self.sources.items():
            for call in code.calls:
                if call.strings and is_writer(call.name):
                    for text in call.strings:
                        found.setdefault(text.strip("/").rsplit("/", 1)[-1].lower(), (path, call.line))
        return found

    def about(self, path: str, supports: bool, words: str, weight: float, kind: str, line: int = 0) -> Evidence:
        """Evidence on a file of the workspace, with its hash."""
        info = self.workspace.files.get(path)
        return Evidence(supports, words, weight, path, line, info.sha256 if info else "", kind)


class Where:
    """The sources in which something is looked for: those that the criterion names, else all."""

    def __init__(self, scene: Scene, named: tuple[str, ...], is_named: bool) -> None:
        self.scene = scene
        self.is_named = is_named
        self.inside = {path: scene.sources[path] for path in named if path in scene.sources} if is_named else scene.sources

    @cached_property
    def outside(self) -> dict[str, Code]:
        """The other sources, by path."""
        return {path: code for path, code in self.scene.sources.items() if path not in self.inside}

    def live(self) -> list[Evidence]:
        """The first source that does something, as evidence; empty if none does."""
        for path, code in self.inside.items():
            if code.is_live:
                return [self.scene.about(path, True, f"{path} is live code of {code.statements} statements.", 0.35, "live")]
        return []

    def words(self) -> str:
        """For a sentence: the sources by name."""
        return ", ".join(list(self.inside)[:3]) if self.is_named else "any source file"


def absent(scene: Scene, path: str) -> Part:
    """A file that must be there and is not."""
    elsewhere = [other for other in scene.by_name.get(path.rsplit("/", 1)[-1].lower(), ()) if other != path]
    evidence = [scene.about(path, False, f"{path} does not exist.", 0.9, "missing")]
    if elsewhere:
        words = f"A file of that name lies at {elsewhere[0]}, not at {path}."
        evidence.append(scene.about(elsewhere[0], False, words, 0.1, "elsewhere"))
    return Part(ABSENT, tuple(evidence))
