"""Faults of programs: nothing runs, nothing is done, or what is written is never reached. Python and JavaScript."""

import ast
import re
from typing import NamedTuple

from tenfold.core.errors import BadInput
from tenfold.judge.faults.reference import Files

__all__ = [
    "body_removed",
    "commented_out",
    "not_implemented",
    "pass_through",
    "skeleton",
    "stub",
    "syntax_error",
    "unreachable",
]


class Span(NamedTuple):
    """Where a function's body stands: source[start:end], its indentation, its first parameter (or empty)."""

    start: int
    end: int
    indent: str
    first: str


def syntax_error(files: Files, path: str) -> Files:
    """Lines that no parser takes: before the last third of a Python file, at the end of a JavaScript file.

    At the end of it nothing can be inside a string that spans lines.
    """
    source = _text(files, path)
    if not path.endswith(".py"):
        return _with(files, path, source + "function broken({ {\n")
    lines = source.splitlines(keepends=True)
    place = next((i for i in range(len(lines) * 2 // 3, 0, -1) if lines[i][:1].isalpha()), len(lines))
    return _with(files, path, "".join([*lines[:place], "def broken(:\n", *lines[place:]]))


def commented_out(files: Files, path: str) -> Files:
    """Every line is a comment."""
    mark = "#" if path.endswith(".py") else "//"
    return _with(files, path, "".join(f"{mark} {line}\n" for line in _text(files, path).splitlines()))


def skeleton(files: Files, path: str) -> Files:
    """All functions and methods keep their names and lose what they do; statements of the file itself go too. Python."""
    tree = ast.parse(_text(files, path))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [ast.Pass()]
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    tree.body = [node for node in tree.body if isinstance(node, kept)] or [ast.Pass()]
    return _with(files, path, ast.unparse(ast.fix_missing_locations(tree)) + "\n")


def stub(files: Files, path: str, name: str) -> Files:
    """The function says TODO and does nothing."""
    python = path.endswith(".py")
    return _with_body(files, path, name, "# TODO: implement\n{indent}pass" if python else "// TODO: implement")


def body_removed(files: Files, path: str, name: str) -> Files:
    """The function only returns nothing."""
    return _with_body(files, path, name, "return None" if path.endswith(".py") else "return null;")


def pass_through(files: Files, path: str, name: str) -> Files:
    """The function gives its first argument back."""
    first = function_span(_text(files, path), path, name).first or ("None" if path.endswith(".py") else "null")
    return _with_body(files, path, name, f"return {first}" if path.endswith(".py") else f"return {first};")


def not_implemented(files: Files, path: str, name: str) -> Files:
    """The function raises that it is not implemented."""
    python = path.endswith(".py")
    return _with_body(files, path, name, "raise NotImplementedError" if python else "throw new Error('not implemented');")


def unreachable(files: Files, path: str, name: str) -> Files:
    """The function returns before its first statement; all it did stands below, dead."""
    source = _text(files, path)
    span = function_span(source, path, name)
    leave = f"{span.indent}return None\n" if path.endswith(".py") else f"\n{span.indent}return null;\n"
    return _with(files, path, source[: span.start] + leave + source[span.start :])


def function_span(source: str, path: str, name: str) -> Span:
    """Where the body of a function (or "Class.method" in Python) stands.

    Raises:
        BadInput: the source has no such function with a body on lines of its own.
    """
    found = _python_span(source, name) if path.endswith(".py") else _script_span(source, name)
    if found is None:
        raise BadInput(f"{path} has no function {name!r}.")
    return found


def _python_span(source: str, name: str) -> Span | None:
    holder: ast.AST | None = ast.parse(source)
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        inside = [node for node in getattr(holder, "body", ()) if isinstance(node, kinds)]
        holder = next((node for node in inside if node.name == part), None)
    if not isinstance(holder, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    if holder.body[0].lineno == holder.lineno:
        return None  # all on one line: there is no line of a body to replace
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    body = holder.body
    opening = body[1] if ast.get_docstring(holder) is not None and len(body) > 1 else body[0]
    names = [argument.arg for argument in holder.args.args if argument.arg != "self"]
    indent = " " * opening.col_offset
    return Span(starts[opening.lineno - 1], starts[body[-1].end_lineno or 0], indent, names[0] if names else "")


def _script_span(source: str, name: str) -> Span | None:
    match = re.search(rf"(?m)(?:function\s+{re.escape(name)}|^\s+\*?{re.escape(name)})\s*\(([^)]*)\)\s*\{{", source)
    if match is None:
        return None
    depth, place = 1, match.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(source[place], 0)
        place += 1
    return Span(match.end(), place - 1, "  ", match[1].split(",")[0].strip())


def _with_body(files: Files, path: str, name: str, body: str) -> Files:
    source = _text(files, path)
    span = function_span(source, path, name)
    made = span.indent + body.format(indent=span.indent) + "\n"
    if not path.endswith(".py"):
        made = "\n" + made
    return _with(files, path, source[: span.start] + made + source[span.end :])


def _text(files: Files, path: str) -> str:
    return files[path].decode()


def _with(files: Files, path: str, source: str) -> Files:
    return {**files, path: source.encode()}
