"""A named source of which no known method is asked: files that it must read, names and words that it must bear."""

import re
from collections.abc import Iterable, Iterator

from tenfold.judge.calls import is_loader, opens_to_write
from tenfold.judge.criterion import Criterion
from tenfold.judge.facts import Code
from tenfold.judge.scene import Part, Where
from tenfold.judge.types import Evidence
from tenfold.judge.weighing import UNDECIDED, probability
from tenfold.judge.wording import bears_words, hollow_of, names_words, telling_words

__all__ = ["worded_source"]

_READS = re.compile(r"(?i)\b(read|loaded|load|parsed|imported|taken)\b")


def worded_source(where: Where, criterion: Criterion) -> Part:
    """A source file without a known method: files that it must read, names and words that its live code must bear."""
    scene = where.scene
    read = [one for one in criterion.targets if one.role != "code" and _READS.search(criterion.text)]
    if read:
        return _reading(where, criterion, read[0].path)
    if all(scene.workspace.files[path].kind == "css" for path in where.inside):
        return Part(probability(evidence := where.live()), tuple(evidence))
    wanted = [name for name in criterion.names if re.fullmatch(r"[A-Za-z_]\w*", name)]
    found = [(name, path, line) for name in wanted for path, line in _bears(where.inside, name)]
    evidence = [scene.about(path, True, f"{path} has {name}.", 0.3, "name", line) for name, path, line in found[:6]]
    evidence += where.live()
    if wanted and {name for name, _, _ in found} == set(wanted):
        return Part(probability(evidence), tuple(evidence))
    return _worded(where, criterion, evidence)


def _reading(where: Where, criterion: Criterion, path: str) -> Part:
    """A named source reads a named file: a call in it has the file's name, or it loads what others name."""
    scene, name = where.scene, path.rsplit("/", 1)[-1]
    loads = any(is_loader(call.name) and call.open for code in where.inside.values() for call in code.calls)
    for source, code in [*where.inside.items(), *(where.outside.items() if loads else ())]:
        for call in code.calls:
            if not opens_to_write(call) and any(text.rsplit("/", 1)[-1] == name for text in call.strings):
                weight = 0.7 if source in where.inside else 0.5
                evidence = [scene.about(source, True, f"{source} reads {name} by {call.name}.", weight, "reads", call.line)]
                evidence += [*where.live(), *_left_open(where, criterion)]
                return Part(probability(evidence), tuple(evidence))
    evidence = [Evidence(False, f"Nothing in {where.words()} reads {name}.", 0.75, kind="reads")]
    return Part(probability(evidence), tuple(evidence))


def _left_open(where: Where, criterion: Criterion) -> Iterator[Evidence]:
    """A definition in the named source that bears the criterion's words, and is hollow."""
    for path, code in where.inside.items():
        one = hollow_of(code, telling_words(criterion.text))
        if one:
            yield where.scene.about(path, False, f"{one.name} does nothing.", 0.85, "hollow", one.line)
            return


def _worded(where: Where, criterion: Criterion, evidence: list[Evidence]) -> Part:
    scene, wanted = where.scene, telling_words(criterion.text)
    against = list(_left_open(where, criterion))
    for path, code in where.inside.items():
        one = bears_words(code, wanted) if not against else None
        if one:
            evidence = [scene.about(path, True, f"{path} defines {one.name}.", 0.5, "words", one.line), *evidence]
            return Part(probability(evidence), tuple(evidence))
        name = names_words(code, wanted) if not against and code.is_live else None
        if name:
            evidence = [scene.about(path, True, f"{path} has {name[0]}.", 0.4, "words", name[1]), *evidence]
            return Part(probability(evidence), tuple(evidence))
    if against:
        return Part(probability([*against, *evidence]), (*against, *evidence))
    missing = f"What {where.words()} does with it must be read by a person or a model."
    return Part(UNDECIDED, tuple(evidence), missing)


def _bears(sources: dict[str, Code], name: str) -> Iterable[tuple[str, int]]:
    for path, code in sources.items():
        line = code.names.get(name) or code.keys.get(name)
        if line:
            return [(path, line)]
    return []
