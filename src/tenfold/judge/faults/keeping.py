"""Edits that change no label: what a judge says of a workspace must stand when only its looks change."""

import ast
import io
from collections.abc import Callable

from tenfold.judge.faults.reference import Files

__all__ = ["KEEPING", "moved_to_helper"]

Edit = Callable[[Files], Files]
NOTE = "Nothing in this line matters to what the program does."


def variables_renamed(files: Files) -> Files:
    """Local variables of Python functions have other names."""
    return _each(files, (".py",), lambda source: ast.unparse(_Renamer().visit(ast.parse(source))) + "\n")


def reformatted(files: Files) -> Files:
    """Python as its own unparser lays it out: no comments, one kind of quotes. JavaScript indented twice as deep."""
    plain = _each(files, (".py",), lambda source: ast.unparse(ast.parse(source)) + "\n")
    return _each(plain, (".js", ".mjs"), lambda source: "".join(map(_deeper, source.splitlines(keepends=True))))


def commented(files: Files) -> Files:
    """More comments: at the head and before each definition."""
    python = _each(files, (".py",), lambda source: _noted(source, "#", ("def ", "class ")))
    return _each(python, (".js", ".mjs"), lambda source: _noted(source, "//", ("function ", "export ", "class ", "const ")))


def files_added(files: Files) -> Files:
    """Files that no requirement asks for."""
    more = {
        "LICENSE": b"Permission is granted to use this work for any purpose.\n",
        ".gitignore": b"__pycache__/\n*.tmp\n",
        "notes/ideas.md": b"# Ideas\n\nSome day: try other settings, measure how long it takes, ask someone to read it.\n",
        "scratch/check_environment.py": b"import sys\n\nprint(sys.version)\n",
    }
    return {**more, **files}


def functions_reordered(files: Files) -> Files:
    """Functions of a Python file in reverse order, where nothing but functions stands between them."""
    return _each(files, (".py",), _reversed_functions)


def line_endings(files: Files) -> Files:
    """Programs and texts with the line ends of Windows."""
    return _each(files, (".py", ".js", ".mjs", ".md"), lambda source: source.replace("\r\n", "\n").replace("\n", "\r\n"))


def pictures_resaved(files: Files) -> Files:
    """PNG pictures written again, without loss, by another program."""
    return {path: _resaved(content) if path.endswith(".png") else content for path, content in files.items()}


def listed_backwards(files: Files) -> Files:
    """The same files, met in another order."""
    return {path: files[path] for path in reversed(list(files))}


KEEPING: dict[str, Edit] = {
    "variables-renamed": variables_renamed,
    "reformatted": reformatted,
    "commented": commented,
    "files-added": files_added,
    "functions-reordered": functions_reordered,
    "line-endings": line_endings,
    "pictures-resaved": pictures_resaved,
    "listed-backwards": listed_backwards,
}


def moved_to_helper(files: Files, path: str, name: str, into: str, module: str) -> Files:
    """A function that no requirement is about moves to a new module and is imported from there. Python.

    Args:
        files: the workspace.
        path: where the function stands.
        name: of the function; it uses nothing of its file but imports.
        into: the new file.
        module: how the old file imports it.
    """
    tree = ast.parse(files[path].decode())
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    moved = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    place = tree.body.index(imports[-1])
    tree.body.remove(moved)
    tree.body.insert(place + 1, ast.ImportFrom(module, [ast.alias(name)], 0))
    helper = ast.Module([*imports, moved], [])
    made = {into: helper, path: tree}
    return {**files, **{to: (ast.unparse(ast.fix_missing_locations(node)) + "\n").encode() for to, node in made.items()}}


class _Renamer(ast.NodeTransformer):
    """Gives names that a function binds itself, and that nothing nested in it could mean otherwise, another ending."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        nested = [one for one in ast.walk(node) if one is not node and isinstance(one, _SCOPES)]
        declared = [one for one in ast.walk(node) if isinstance(one, (ast.Global, ast.Nonlocal))]
        if nested or declared:
            return node
        arguments = {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
        bound = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        imported = {one.asname or one.name for one in ast.walk(node) if isinstance(one, ast.alias)}
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and one.id in bound - arguments - imported:
                one.id += "_value"
        return node


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def _each(files: Files, endings: tuple[str, ...], change: Callable[[str], str]) -> Files:
    return {
        path: change(content.decode()).encode() if path.endswith(endings) and content.strip() else content
        for path, content in files.items()
    }


def _deeper(line: str) -> str:
    depth = len(line) - len(line.lstrip(" "))
    return " " * depth + line


def _noted(source: str, mark: str, openings: tuple[str, ...]) -> str:
    lines = []
    for line in source.splitlines(keepends=True):
        previous = lines[-1] if lines else ""
        if line.startswith(openings) and not previous.rstrip().endswith(("\\", ",")) and not previous.startswith("@"):
            lines.append(f"{mark} {NOTE}\n")
        lines.append(line)
    first = 1 if source.startswith("#!") else 0
    if not any(line.lstrip().startswith(("'use strict'", "from __future__")) for line in lines[:3]):
        lines.insert(first, f"{mark} Changed by hand.\n")
    return "".join(lines)


def _reversed_functions(source: str) -> str:
    tree = ast.parse(source)
    places = [i for i, node in enumerate(tree.body) if isinstance(node, ast.FunctionDef) and not node.decorator_list]
    functions = [tree.body[i] for i in places]
    if len(places) < 2 or places[-1] - places[0] != len(places) - 1:
        return source
    for place, node in zip(places, reversed(functions), strict=True):
        tree.body[place] = node
    return ast.unparse(tree) + "\n"


def _resaved(content: bytes) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        picture.save(made, format="PNG", compress_level=1)
    return made.getvalue()
