"""The traps: workspaces made up to look like work, and what six recorded language models said of them.

Every file is a placeholder with the criteria pasted in. The recorded replies are three runs of each model (section 5 of
the spec); the strong models are those that fell for least.
"""

import base64
import csv
import gzip
import io
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from tenfold.core.data import locate
from tenfold.core.errors import BadInput
from tenfold.core.files import jsonable
from tenfold.core.parallel import parallel_map
from tenfold.judge.bench_rows import Judge, reported
from tenfold.judge.devai import tasks
from tenfold.judge.types import Requirements, Verdict

__all__ = ["STRONG", "TrapBench", "traps"]

STRONG = ("claude-sonnet-4.6", "deepseek-v3.2", "gpt-5.4")
WORKSPACES, REPLIES = "stub_workspaces_01-35.json.gz", "stub_llm_verdicts_01-35.csv.gz"
CODE = (".py", ".js", ".ts", ".html", ".css")


class _Trap(NamedTuple):
    name: str
    files: Mapping[str, Mapping[str, str]]
    requirements: Requirements


@dataclass(frozen=True)
class TrapBench:
    """A judge on the traps.

    Attributes:
        verdicts: by (task, id of requirement).
        rejected: those that all nine runs of the strong models reject.
        literal: those that all nine accept and that are about code alone: literally true.
        recorded: the share called satisfied by each recorded model, over its three runs.
    """

    verdicts: Mapping[tuple[str, str], Verdict]
    rejected: frozenset[tuple[str, str]]
    literal: frozenset[tuple[str, str]]
    recorded: Mapping[str, float]

    @property
    def fooled(self) -> float:
        """The share of requirements called satisfied."""
        return sum(one == "satisfied" for one in self.verdicts.values()) / len(self.verdicts)

    @property
    def fooled_beyond_literal(self) -> float:
        """The same without those that are literally true."""
        rest = [one for key, one in self.verdicts.items() if key not in self.literal]
        return sum(one == "satisfied" for one in rest) / len(rest)

    @property
    def rejected_but_satisfied(self) -> list[tuple[str, str]]:
        """Called satisfied although all nine strong runs reject them."""
        return sorted(key for key in self.rejected if self.verdicts[key] == "satisfied")

    @property
    def literal_but_unsatisfied(self) -> list[tuple[str, str]]:
        """Called unsatisfied although literally true."""
        return sorted(key for key in self.literal if self.verdicts[key] == "unsatisfied")

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        names = ("fooled", "fooled_beyond_literal", "rejected_but_satisfied", "literal_but_unsatisfied", "recorded")
        counts = {"requirements": len(self.verdicts), "rejected": len(self.rejected), "literal": len(self.literal)}
        return jsonable({**counts, **{name: getattr(self, name) for name in names}})

    def table(self) -> str:
        """As text: the share of placeholders that each judge calls satisfied."""
        rows = [("this judge", self.fooled), *sorted(self.recorded.items(), key=lambda item: item[1])]
        return "\n".join(f"{name:<24} {share:6.1%}" for name, share in rows)


def traps(judge: Judge, data: Path | None = None, *, engine: str = "local", workers: int | None = None) -> TrapBench:
    """Run a judge on the traps.

    Args:
        judge: picklable if there is more than one worker.
        data: the folder with the workspaces, the replies and the tasks of DevAI; None = the data sets `judge/traps`
            and `judge/devai`.
        engine: "local" or "ray".
        workers: processes; None = one per core.

    Raises:
        BadInput: a file cannot be read, or does not fit the tasks.
        DataMissing: the data sets are not here.
    """
    found = _traps(data)
    names = [one.name for one in found]
    said = parallel_map(partial(_judge_trap, judge), found, engine=engine, workers=workers, names=names, title="Traps")
    verdicts = {
        (trap.name[:2], identity): verdict for trap, one in zip(found, said, strict=True) for identity, verdict in one
    }
    rejected, literal, recorded = _replies(data)
    unknown = (rejected | literal) - set(verdicts)
    if unknown:
        raise BadInput(f"The replies name requirement {sorted(unknown)[0]}, which no task has.")
    return TrapBench(verdicts, rejected, literal, recorded)


def _judge_trap(judge: Judge, trap: _Trap) -> list[tuple[str, Verdict]]:
    with tempfile.TemporaryDirectory(prefix="tenfold-") as place:
        root = Path(place) / trap.name
        for path, content in trap.files.items():
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise BadInput(f"The trap {trap.name} names a file outside of it: {path}.")
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            whole = content["text"].encode() if "text" in content else base64.b64decode(content["base64"])
            (root / path).write_bytes(whole)
        report = reported(trap.name, trap.requirements, judge(root, trap.requirements))
    return [(one.requirement.id, one.verdict) for one in report]


def _traps(data: Path | None) -> list[_Trap]:
    workspaces = json.loads(_unpacked(data, WORKSPACES))
    asked = tasks(data)
    lacking = [name for name in workspaces if name not in asked]
    if lacking:
        raise BadInput(f"The tasks lack {lacking[0]}, of which there is a trap.")
    return [_Trap(name, files, asked[name]) for name, files in sorted(workspaces.items())]


def _replies(data: Path | None) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]], dict[str, float]]:
    rows = list(csv.DictReader(io.StringIO(_unpacked(data, REPLIES), newline="")))
    strong: dict[tuple[str, str], list[bool]] = defaultdict(list)
    models: dict[str, list[bool]] = defaultdict(list)
    criteria = {}
    for row in rows:
        key, said = (row["task"], row["requirement_index"]), row["satisfied"] == "1"
        criteria[key] = row["criteria"]
        models[row["model"]].append(said)
        if row["model"] in STRONG:
            strong[key].append(said)
    rejected = frozenset(key for key, said in strong.items() if not any(said))
    literal = frozenset(key for key, said in strong.items() if all(said) and _about_code(criteria[key]))
    return rejected, literal, {name: sum(said) / len(said) for name, said in models.items()}


def _about_code(criteria: str) -> bool:
    paths: Sequence[str] = re.findall(r"`([\w./-]+)`", criteria)
    return all(PurePosixPath(path).suffix in CODE for path in paths)


def _unpacked(data: Path | None, name: str) -> str:
    path = locate(f"judge/{name}") if data is None else data / name
    try:
        return gzip.decompress(path.read_bytes()).decode()
    except (OSError, EOFError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from error
