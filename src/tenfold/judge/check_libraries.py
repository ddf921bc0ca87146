"""Libraries that a criterion names: code that does not import one, or never uses it, does without."""

from tenfold.judge.criterion import Criterion
from tenfold.judge.lexicon import Library
from tenfold.judge.scene import Part, Where
from tenfold.judge.types import Evidence
from tenfold.judge.weighing import UNDECIDED, probability

__all__ = ["libraries"]


def libraries(where: Where, criterion: Criterion) -> list[Part]:
    found = [_library(where, one, criterion.imports) for one in criterion.libraries]
    if criterion.any_library and len(found) > 1:
        return [max(found, key=lambda part: part.probability)]
    return found


def _library(where: Where, library: Library, only_import: bool) -> Part:
    scene = where.scene
    imported = None
    for path, code in where.inside.items():
        for one in code.imports:
            if library.modules.match(one.module) or library.modules.match(one.module.split(".")[0]):
                if one.used or only_import:
                    evidence = [
                        scene.about(path, True, f"{path} uses {library.name}.", 0.7, "library", one.line),
                        *where.live(),
                    ]
                    return Part(probability(evidence), tuple(evidence))
                imported = imported or (path, one.line)
    if any(code.partial for code in where.inside.values()) and not imported:
        return Part(UNDECIDED, (), f"Whether {library.name} is used is not plain in {where.words()}.")
    against: list[Evidence] = []
    if imported:
        words = f"{imported[0]} imports {library.name} and never uses it."
        against.append(scene.about(imported[0], False, words, 0.75, "library", imported[1]))
    else:
        against.append(Evidence(False, f"{library.name} is not used in {where.words()}.", 0.75, kind="library"))
    return Part(probability(against), tuple(against))
