"""Methods that a criterion names: by a library's symbol, by a telling name, or by hand."""

import re
from collections.abc import Iterator

from tenfold.judge.criterion import Criterion
from tenfold.judge.facts import Code, Definition
from tenfold.judge.lexicon import CONCEPTS, Concept
from tenfold.judge.scene import Part, Scene, Where
from tenfold.judge.types import Evidence
from tenfold.judge.weighing import DOUBT, probability
from tenfold.judge.wording import hollow_inside, hollow_of, telling_words

__all__ = ["methods"]


def methods(where: Where, criterion: Criterion) -> list[Part]:
    """Each method that the criterion names; drawn or reported ones only add to what was found of the file itself."""
    has_artefact = bool(criterion.artefacts)
    wanted = [one for one in criterion.methods if not (has_artefact and one.figure)]
    wanted = [
        one for one in wanted if not any(lib.modules.match(module) for lib in criterion.libraries for module in one.modules)
    ]
    if not wanted:
        return []
    found = [_method(where, one, criterion) for one in wanted]
    return _softened(found) if has_artefact and not criterion.code else found


def _softened(found: list[Part]) -> list[Part]:
    """Of a result that is there, the method in its name is not asked for again: only another in its place denies it."""
    return [part for part in found if part.probability > DOUBT or part.probability < 0.3]


def _method(where: Where, concept: Concept, criterion: Criterion) -> Part:
    scene = where.scene
    evidence: list[Evidence] = []
    seen = _confirmed(where.inside, concept, criterion.imports, scene.modules)
    if seen:
        path, name, line, weight = seen
        evidence.append(scene.about(path, True, f"{path} has {concept.name}: {name}.", weight, "method", line))
        evidence += [] if criterion.imports else where.live()
        evidence += _unused(scene, path, line, criterion)
        return Part(probability(evidence), tuple(evidence))
    instead = _instead(where, concept)
    if instead:
        path, name, line = instead
        words = f"{path} has {name} where {concept.name} is asked for."
        evidence = [scene.about(path, False, words, 0.8, "instead", line)]
        return Part(probability(evidence), tuple(evidence))
    if not any(code.is_live for code in where.inside.values()):
        words = f"There is no live code in {where.words()}." if where.inside else "There is no code."
        evidence = [Evidence(False, words, 0.85, kind="stub")]
        return Part(probability(evidence), tuple(evidence))
    evidence += where.live()
    hollow = _hollow(where, concept, criterion)
    if hollow:
        evidence.append(scene.about(hollow[0], False, f"{hollow[1].name} does nothing.", 0.85, "hollow", hollow[1].line))
        return Part(probability(evidence), tuple(evidence))
    elsewhere = _confirmed(where.outside, concept, criterion.imports, scene.modules) if where.is_named else None
    if elsewhere:
        words = f"{concept.name} is in {elsewhere[0]}, not in {where.words()}."
        evidence.append(scene.about(elsewhere[0], False, words, 0.35, "elsewhere", elsewhere[2]))
    if criterion.imports:
        evidence.append(Evidence(False, f"{where.words()} does not import {concept.name}.", 0.75, kind="library"))
        return Part(probability(evidence), tuple(evidence))
    missing = f"No known name of {concept.name} is in {where.words()}: it may be written by hand; someone must read it."
    return Part(DOUBT, tuple(evidence), missing)


def _hollow(where: Where, concept: Concept, criterion: Criterion) -> tuple[str, Definition] | None:
    """A definition in a named source that is left to be written: of the method by its name, or any if libraries have it."""
    wanted = telling_words(criterion.text)
    for path, code in where.inside.items() if where.is_named else ():
        named = [one for one in code.definitions if concept.names.match(one.name) or concept.symbols.match(one.name)]
        named = [one if one.hollow else inner for one in named if (inner := hollow_inside(code, one)) or one.hollow]
        other = [one for one in code.definitions if one.hollow and one.kind != "class" and "symbols" in concept.entry]
        found = next((one for one in named if one is not None), None) or hollow_of(code, wanted) or next(iter(other), None)
        if found:
            return path, found
    return None


def _confirmed(
    sources: dict[str, Code], concept: Concept, imported: bool, modules: frozenset[str]
) -> tuple[str, str, int, float] | None:
    """Where a method is: (path, name, line, weight), the strongest first; modules: of the workspace itself."""
    weaker = None
    for path, code in sources.items():
        local = {one.name for one in code.definitions} | {one.alias for one in code.imports if one.module in modules}
        for one in code.imports:
            if one.module in modules:
                continue
            if (one.used or imported) and (
                concept.symbols.match(one.name) or concept.symbols.match(one.module.split(".")[-1])
            ):
                return path, one.name or one.module, one.line, 0.7
            if one.used and one.module.split(".")[0] in concept.modules:
                return path, one.module, one.line, 0.7
        by_hand = sum(group.search(code.lines) is not None for group in concept.hand) >= len(concept.hand) - 1
        for one in code.definitions:
            if (
                by_hand
                and not one.stub
                and not hollow_inside(code, one)
                and (concept.symbols.match(one.name) or concept.names.match(one.name))
            ):
                return path, one.name, one.line, 0.7
        name = _first(concept.any_symbol, code, local)
        if name:
            return path, name, code.names[name], 0.7
        name = _first(concept.any_name, code, local) if weaker is None else ""
        if name:
            weaker = (path, name, code.names[name], 0.5)
        for call in code.calls:
            if concept.calls.match(call.name) or concept.calls.match(call.name.rsplit(".", 1)[-1]):
                return path, call.name, call.line, 0.6
        held = [found.group() for group in concept.hand if (found := group.search(code.lines))]
        if held and len(held) == len(concept.hand):
            return path, ", ".join(held), code.names[held[0]], 0.65
    return None if weaker and concept.hand else weaker


def _first(pattern: re.Pattern[str], code: Code, but: set[str]) -> str:
    return next((found.group() for found in pattern.finditer(code.lines) if found.group() not in but), "")


def _instead(where: Where, concept: Concept) -> tuple[str, str, int] | None:
    """Another member of the family in the same source, if the one that is asked for is nowhere in it."""
    if not concept.family:
        return None
    for other in CONCEPTS:
        if other.family == concept.family and other.name != concept.name:
            for path, code in where.inside.items():
                for one in code.imports:
                    if one.used and other.symbols.match(one.name):
                        return path, one.name, one.line
    return None


_STARTERS = frozenset({"main", "run", "__main__", "app", "setup", "forward", "handler", "create_app"})


def _unused(scene: Scene, path: str, line: int, criterion: Criterion) -> Iterator[Evidence]:
    """What was found stands in a function that nothing calls."""
    code = scene.sources[path]
    inside: list[Definition] = [one for one in code.definitions if one.line <= line <= one.end]
    if not inside:
        return
    outer = inside[0]
    if outer.name in scene.called or outer.decorated or outer.name in _STARTERS or outer.name.startswith("test"):
        return
    if any(one.kind == "class" for one in inside):
        return
    yield scene.about(path, False, f"Nothing calls {outer.name} in {path}.", 0.35, "unused", outer.line)
