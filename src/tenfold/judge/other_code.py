"""Facts of source that is not Python: JavaScript and TypeScript by tree-sitter, HTML by its scripts, the rest by words."""

import re
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

from tenfold.core.extras import require
from tenfold.judge.facts import Call, Code, Definition, Import

__all__ = ["html_facts", "script_facts", "style_facts", "word_facts"]

_FUNCTIONS = {
    "function_declaration", "function_expression", "arrow_function", "method_definition", "generator_function",
    "generator_function_declaration",
}  # fmt: skip
_WORK = {
    "binary_expression", "augmented_assignment_expression", "update_expression", "for_statement", "for_in_statement",
    "while_statement", "do_statement", "ternary_expression", "jsx_element", "jsx_self_closing_element",
}  # fmt: skip
_OWN = {"console", "String", "Number", "Boolean", "Object", "Array", "Error", "parseInt", "parseFloat"}
_STRING = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`", re.S)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|(?m:^\s*#(?!include)[^\n]*)|--[^\n]*", re.S)
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_CALL = re.compile(r"([A-Za-z_$][\w$.:]*)\s*\(")
_DEEPEST = 400


@lru_cache(maxsize=4)
def _parser(language: str) -> Any:
    """A tree-sitter parser of "javascript", "typescript" or "tsx"."""
    tree_sitter = require("tree_sitter", "judge")
    if language == "javascript":
        grammar = require("tree_sitter_javascript", "judge").language()
    else:
        module = require("tree_sitter_typescript", "judge")
        grammar = module.language_tsx() if language == "tsx" else module.language_typescript()
    return tree_sitter.Parser(tree_sitter.Language(grammar))


def script_facts(source: str, language: str) -> Code:
    """Facts of JavaScript ("javascript"), TypeScript ("typescript") or TypeScript with JSX ("tsx").

    Raises:
        ExtraMissing: tree-sitter or the grammar is not installed.
    """
    tree = _parser(language).parse(source.encode("utf-8", errors="replace"))
    reader = _Scripts(language)
    reader.walk(tree.root_node)
    return reader.facts(tree.root_node)


class _Scripts:
    """One walk over a tree-sitter tree, with an explicit stack: a hostile file may nest without end."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.imports: list[Import] = []
        self.calls: list[Call] = []
        self.names: dict[str, int] = {}
        self.keys: dict[str, int] = {}
        self.definitions: list[Definition] = []
        self.work: dict[int, int] = {-1: 0}
        self.statements = 0

    def walk(self, root: Any) -> None:
        stack: list[tuple[Any, int]] = [(root, -1)]
        while stack:
            node, inside = stack.pop()
            kind = node.type
            if kind in ("comment", "string_fragment", "regex"):
                continue
            inside = self._node(node, kind, inside)
            stack.extend((child, inside) for child in reversed(_reached(node)))

    def facts(self, root: Any) -> Code:
        bad = _first_error(root) if root.has_error else 0
        if bad:
            return Code(self.language, error="it does not parse", error_line=bad)
        used = [one._replace(used=self.names.get(one.alias, 0) > 0 or not one.alias) for one in self.imports]
        local = {one.name for one in self.definitions}
        for call in self.calls:
            root_name = call.name.split(".")[0]
            if root_name not in _OWN and root_name not in local:
                self.work[call.inside] += 2
        settled = [
            one._replace(stub=self.work[number] < 2, hollow=self.work[number] == 0)
            for number, one in enumerate(self.definitions)
        ]
        live = {one.parent for one in settled if not one.stub}
        settled = [
            one._replace(stub=number not in live) if one.kind == "class" else one for number, one in enumerate(settled)
        ]
        return Code(
            self.language,
            imports=tuple(used),
            calls=tuple(self.calls),
            names=self.names,
            keys=self.keys,
            definitions=tuple(settled),
            work=self.work[-1],
            statements=self.statements,
        )

    def _node(self, node: Any, kind: str, inside: int) -> int:
        """Note one node; returns the number of the definition that its children stand in."""
        line = node.start_point[0] + 1
        if kind in ("identifier", "property_identifier", "shorthand_property_identifier", "type_identifier"):
            if not _is_import(node):
                self.names.setdefault(_text(node), line)
        elif kind in _WORK:
            self.work[inside] += 1
        elif kind in ("import_statement", "call_expression", "new_expression"):
            self._reference(node, kind, line, inside)
        elif kind == "class_declaration" or kind in _FUNCTIONS:
            return self._define(node, kind, line, inside)
        elif kind == "subscript_expression":
            for text in _literals(node.child_by_field_name("index")):
                self.keys.setdefault(text, line)
        if kind.endswith(("_statement", "_declaration")):
            self.statements += 1
        return inside

    def _reference(self, node: Any, kind: str, line: int, inside: int) -> None:
        if kind == "import_statement":
            module = next(iter(_literals(node.child_by_field_name("source"))), "")
            names = [_text(one) for one in _named(node, "identifier")]
            self.imports += [Import(module, name, name, line, False) for name in names] or [
                Import(module, "", "", line, True)
            ]
            return
        function = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        arguments = node.child_by_field_name("arguments")
        strings = tuple(_literals(arguments))
        name = _dotted(function)
        if name == "require" and strings:
            target = node.parent.child_by_field_name("name") if node.parent is not None else None
            aliases = [_text(one) for one in _named(target, "identifier", "shorthand_property_identifier_pattern")]
            self.imports += [Import(strings[0], one, one, line, False) for one in aliases] or [
                Import(strings[0], "", "", line, True)
            ]
        self.calls.append(Call(name, line, strings, inside, arguments is not None and bool(arguments.named_children)))

    def _define(self, node: Any, kind: str, line: int, inside: int) -> int:
        named = node.child_by_field_name("name")
        if named is None and node.parent is not None:
            named = node.parent.child_by_field_name("name") if node.parent.type == "variable_declarator" else None
        if named is None:
            return inside
        what = "class" if kind == "class_declaration" else "method" if kind == "method_definition" else "function"
        self.definitions.append(Definition(_text(named), what, inside, line, node.end_point[0] + 1, True))
        self.work[len(self.definitions) - 1] = 0
        return len(self.definitions) - 1


def _reached(node: Any) -> list[Any]:
    """The children that can be reached: in a block, those up to the first return or throw."""
    if node.type != "statement_block":
        return node.named_children
    found = []
    for child in node.named_children:
        found.append(child)
        if child.type in ("return_statement", "throw_statement"):
            break
    return found


def _is_import(node: Any) -> bool:
    return node.parent is not None and node.parent.type in ("import_clause", "import_specifier", "namespace_import")


def _text(node: Any) -> str:
    return node.text.decode("utf-8", errors="replace")[:200]


def _dotted(node: Any) -> str:
    parts: list[str] = []
    while node is not None and node.type == "member_expression" and len(parts) < 20:
        parts.append(_text(node.child_by_field_name("property")))
        node = node.child_by_field_name("object")
    if node is not None and node.type in ("identifier", "this", "super"):
        parts.append(_text(node))
    elif node is not None and node.type == "call_expression":
        parts.append(_dotted(node.child_by_field_name("function")) + "()")
    else:
        parts.append("?")
    return ".".join(reversed(parts))


def _named(node: Any, *kinds: str) -> list[Any]:
    found, left = [], [node] if node is not None else []
    while left:
        one = left.pop()
        if one.type in kinds:
            found.append(one)
        left.extend(reversed(one.named_children))
    return found


def _literals(node: Any) -> list[str]:
    """Short literal texts below a node: names and paths, not sentences."""
    texts = [_text(one) for one in _named(node, "string_fragment")[:12]]
    return [text for text in texts if len(text) <= 160 and text.count(" ") < 3]


def _first_error(root: Any) -> int:
    left, seen = [root], 0
    while left and seen < 100_000:
        node = left.pop()
        seen += 1
        if node.is_error or node.is_missing:
            return node.start_point[0] + 1
        left.extend(reversed([child for child in node.children if child.has_error or child.is_missing]))
    return 1


class _Page(HTMLParser):
    """The scripts, styles, elements and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[tuple[str, int]] = []
        self.inline: list[str] = []
        self.elements: dict[str, int] = {}
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.setdefault(tag, self.getpos()[0])
        found = dict(attrs)
        address = found.get("src") if tag == "script" else found.get("href") if tag == "link" else None
        if address:
            self.sources.append((address[:300], self.getpos()[0]))
        self._script = tag == "script" and found.get("type") in (None, "", "text/javascript", "module")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = False

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.inline.append(data)


def html_facts(source: str) -> Code:
    """Facts of a page: the scripts it loads are its imports, its inline scripts its code, its elements its names."""
    page = _Page()
    page.feed(source)
    script = script_facts("\n".join(page.inline), "javascript") if page.inline else Code("html")
    loaded = tuple(Import(address, "", "", line, True) for address, line in page.sources)
    return Code(
        "html",
        imports=loaded + script.imports,
        calls=script.calls,
        names={**page.elements, **script.names},
        definitions=script.definitions,
        work=script.work + (2 if len(page.elements) >= 3 else 0),
        statements=script.statements + len(page.elements),
    )


def style_facts(source: str) -> Code:
    """Facts of a style sheet: what it imports, its names, its rules."""
    plain = re.sub(r"/\*.*?\*/", " ", source, flags=re.S)
    imports = [
        Import(found.group(2)[:300], "", "", plain.count("\n", 0, found.start()) + 1, True)
        for found in re.finditer(r"@import\s+(?:url\()?\s*(['\"]?)([^'\")\s;]+)\1", plain)
    ]
    rules = plain.count("{")
    return Code("css", imports=tuple(imports), names=_names(plain), work=rules + len(imports), statements=rules)


def word_facts(source: str, language: str = "code") -> Code:
    """What can be said without a parser: names and calls outside strings and comments."""
    plain = _COMMENT.sub(_blank, _STRING.sub(_blank, source))
    calls = [
        Call(found.group(1), plain.count("\n", 0, found.start()) + 1, (), -1, True)
        for found in _CALL.finditer(plain[:200_000])
    ]
    return Code(
        language, calls=tuple(calls[:2000]), names=_names(plain), work=len(calls), statements=plain.count(";"), partial=True
    )


def _names(plain: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, line in enumerate(plain.split("\n"), start=1):
        for name in _NAME.findall(line):
            found.setdefault(name, number)
    return found


def _blank(found: re.Match[str]) -> str:
    return "\n" * found.group().count("\n") or " "
