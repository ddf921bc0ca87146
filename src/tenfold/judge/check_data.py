"""A data set that a criterion names: whether the code loads it, another one, or data that it made up."""

import re
from collections.abc import Iterator

from tenfold.judge.calls import is_drawn, is_loader, is_random, opens_to_write
from tenfold.judge.criterion import Criterion
from tenfold.judge.data_names import is_data, is_named
from tenfold.judge.facts import Call, Code
from tenfold.judge.scene import Part, Scene, Where
from tenfold.judge.types import Evidence
from tenfold.judge.weighing import DOUBT, probability

__all__ = ["data_set"]


def data_set(where: Where, criterion: Criterion) -> Part:
    scene, name = where.scene, criterion.data_set
    found = list(_loads(where, name))
    evidence: list[Evidence] = []
    missing = ""
    if found:
        path, call, what = found[0]
        evidence.append(scene.about(path, True, f"{path} loads {what} by {call.name}.", 0.85, "data set", call.line))
        evidence += where.live()
    else:
        evidence += _no_load(where, name)
        if not any(not one.supports and one.weight >= 0.6 for one in evidence):
            missing = f"It is not plain which data set {where.words()} loads: run it, or name {name} where it is loaded."
    evidence += _made_up(where, name, [call for _, call, _ in found])
    p = probability(evidence)
    return Part(min(p, DOUBT) if not found else p, tuple(evidence), missing if p > 0.4 else "")


def _loads(where: Where, name: str) -> Iterator[tuple[str, Call, str]]:
    """Calls that load the named data set: the callee or an argument names it."""
    scene = where.scene
    for path, code in where.inside.items():
        for call in code.calls:
            last = call.name.rsplit(".", 1)[-1]
            if is_named(last, name) and not _is_stub(code, last) and call.name.split(".")[0] not in ("print", "self"):
                yield path, call, last
            elif is_loader(call.name) and not _is_stub(code, last) and not opens_to_write(call):
                for text in call.strings:
                    if is_data(text) and is_named(text, name):
                        yield path, call, repr(text)
                        break
        if where.is_named:
            yield from _passed_in(scene, path, code, name)


def _passed_in(scene: Scene, path: str, code: Code, name: str) -> Iterator[tuple[str, Call, str]]:
    """A live function of the file, called elsewhere with the name, that itself loads something."""
    loading = {code.definitions[call.inside].name for call in code.calls if call.inside >= 0 and is_loader(call.name)}
    for other, elsewhere in scene.sources.items():
        if other == path:
            continue
        for call in elsewhere.calls:
            last = call.name.rsplit(".", 1)[-1]
            if last in loading and any(is_data(text) and is_named(text, name) for text in call.strings):
                yield other, call, name


def _no_load(where: Where, name: str) -> Iterator[Evidence]:
    """Why the data set is not loaded: another one is, nothing is, or it is not plain."""
    scene = where.scene
    other = [(path, call) for path, code in where.inside.items() for call in code.calls if _other_set(call, name)]
    generic = [
        (path, call) for path, code in where.inside.items() for call in code.calls
        if is_loader(call.name) and not _is_stub(code, call.name.rsplit(".", 1)[-1]) and not opens_to_write(call)
    ]  # fmt: skip
    if other:
        path, call = other[0]
        yield scene.about(path, False, f"{path} loads another data set: {call.name}.", 0.85, "data set", call.line)
    elif not generic:
        yield Evidence(False, f"Nothing in {where.words()} loads {name}.", 0.85, kind="data set")
    else:
        path, call = generic[0]
        yield scene.about(
            path, True, f"{path} loads something by {call.name}; what, is not plain.", 0.35, "data set", call.line
        )
        held = [other for other in scene.workspace.files if is_named(other.rsplit("/", 1)[-1], name)]
        if not held and not call.open and call.strings:
            words = f"{path} loads {call.strings[0]!r}, which does not name {name}."
            yield scene.about(path, False, words, 0.7, "data set", call.line)


def _is_stub(code: Code, name: str) -> bool:
    return any(one.name == name and one.stub for one in code.definitions)


_OWN_SETS = re.compile(r"(?:load|fetch)_(\w+)\Z")


def _other_set(call: Call, name: str) -> bool:
    """A call that loads a data set of a library, and another one."""
    root = call.name.split(".")[0]
    last = call.name.rsplit(".", 1)[-1]
    if root in ("sklearn", "torchvision", "tensorflow", "keras", "seaborn") and ".datasets." in f".{call.name}.":
        return not last.startswith(
            ("make_", "fetch_openml", "load_svmlight", "load_dataset", "ImageFolder", "get_data")
        ) and bool(_OWN_SETS.match(last) or last[:1].isupper() or "load_data" in last)
    return bool(
        root == "datasets" and last == "load_dataset" and call.strings and not any(is_named(t, name) for t in call.strings)
    )


def _made_up(where: Where, name: str, loads: list[Call]) -> Iterator[Evidence]:
    """Data that a generator made: by the columns of the loaded table, or by calls."""
    scene = where.scene
    for path, info in scene.workspace.files.items():
        if (
            info.kind in ("csv", "tsv")
            and is_named(path.rsplit("/", 1)[-1], name)
            and scene.known[path].artefact.details.get("made_up")
        ):
            columns = ", ".join(scene.known[path].artefact.details["columns"][:3])
            yield scene.about(path, False, f"{path} has the columns {columns}: nobody measured these.", 0.9, "made up")
            break
    for path, code in where.inside.items():
        for call in code.calls:
            if is_random(call.name):
                weight = 0.85 if is_drawn(call.name) else 0.5
                yield scene.about(path, False, f"{path} draws data by {call.name}.", weight, "made up", call.line)
                return
