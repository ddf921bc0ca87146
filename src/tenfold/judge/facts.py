"""What is known of a file: plain facts, as JSON, so that they can be kept by the hash of its content."""

from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, NamedTuple

__all__ = ["Artefact", "Call", "Code", "Definition", "Facts", "Import", "facts_from_dict", "facts_to_dict"]


class Import(NamedTuple):
    """One imported name: `from module import name as alias`; of `import module`, name is empty."""

    module: str
    name: str
    alias: str
    line: int
    used: bool


class Call(NamedTuple):
    """One call in live code.

    Attributes:
        name: dotted, with aliases of imports resolved: `sns.heatmap` is "seaborn.heatmap".
        line: from 1.
        strings: short literal arguments, also through names that hold literals.
        inside: number of the definition that it stands in, or -1.
        open: an argument's value is not known from the file (a parameter, a result).
    """

    name: str
    line: int
    strings: tuple[str, ...]
    inside: int
    open: bool = False


class Definition(NamedTuple):
    """A class or function.

    Attributes:
        name: its own.
        kind: "class", "function" or "method".
        parent: number of the enclosing definition, or -1.
        line: first line.
        end: last line.
        stub: it does nothing: no call but of builtins, and less than two loops, comparisons or calculations.
        decorated: something else may call it.
        hollow: a stub that is left to be written: it only passes, raises, or gives back a literal or what it was given.
    """

    name: str
    kind: str
    parent: int
    line: int
    end: int
    stub: bool
    decorated: bool = False
    hollow: bool = False


@dataclass(frozen=True)
class Code:
    """Facts of a source file; strings, comments and docstrings count as nothing.

    Attributes:
        language: "python", "javascript", ...
        error: why it does not parse, or empty.
        error_line: where.
        imports: all.
        calls: in live code.
        names: identifier or attribute in live code -> first line.
        keys: literal keys, `row["name"]` -> first line.
        definitions: in the order of the file.
        work: loops, comparisons, calculations and foreign calls outside any definition.
        statements: of live code, without docstrings, imports and plain assignments of literals.
        partial: read by words alone, for there is no parser of this language.
    """

    language: str
    error: str = ""
    error_line: int = 0
    imports: tuple[Import, ...] = ()
    calls: tuple[Call, ...] = ()
    names: dict[str, int] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()
    work: int = 0
    statements: int = 0
    partial: bool = False

    @cached_property
    def lines(self) -> str:
        """The names, one on a line, to be searched at once."""
        return "\n".join(self.names)

    @cached_property
    def is_live(self) -> bool:
        """Something in it does something."""
        if self.error:
            return False
        return self.work >= 2 or any(not one.stub for one in self.definitions if one.kind != "class")


@dataclass(frozen=True)
class Artefact:
    """What a file that is no code turned out to be.

    Attributes:
        valid: its content is what its name promises and not a placeholder; None = this kind is not judged.
        why: one sentence on that.
        empty: there is nothing in it.
        words: of prose.
        numbers: how many stand in it.
        text: the first words of prose, at most 20,000 characters.
        details: e.g. width, height, pages, columns, entries.
        flags: of prose, where it addresses the judge: (line, kind, text); these lines are not in `text` and not counted.
    """

    valid: bool | None
    why: str
    empty: bool = False
    words: int = 0
    numbers: int = 0
    text: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    flags: tuple[tuple[int, str, str], ...] = ()


@dataclass(frozen=True)
class Facts:
    """All that is known of a file's content.

    Attributes:
        artefact: what it is.
        code: facts of its code, if it has any.
        flags: where it addresses the judge: (line, kind, text).
    """

    artefact: Artefact
    code: Code | None = None
    flags: tuple[tuple[int, str, str], ...] = ()


def facts_to_dict(facts: Facts) -> dict[str, Any]:
    """As JSON types."""
    code = None if facts.code is None else {one.name: getattr(facts.code, one.name) for one in fields(facts.code)}
    return {"artefact": asdict(facts.artefact), "code": code, "flags": facts.flags}


def facts_from_dict(found: dict[str, Any]) -> Facts:
    """The inverse of `facts_to_dict`, after a way through JSON."""
    code = found["code"]
    if code is not None:
        code = Code(
            **{
                **code,
                "imports": tuple(Import(*one) for one in code["imports"]),
                "calls": tuple(
                    [Call(name, line, tuple(strings), inside, open_) for name, line, strings, inside, open_ in code["calls"]]
                ),
                "definitions": tuple(Definition(*one) for one in code["definitions"]),
            }
        )
    artefact = Artefact(**{**found["artefact"], "flags": _flags(found["artefact"]["flags"])})
    return Facts(artefact, code, _flags(found["flags"]))


def _flags(rows: list[list[Any]]) -> tuple[tuple[int, str, str], ...]:
    return tuple((row[0], row[1], row[2]) for row in rows)
