"""Facts of Python source, by `ast`: it is parsed and never run."""

import ast
import builtins
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tenfold.judge.collector import held_back
from tenfold.judge.facts import Call, Code, Definition, Import

__all__ = ["notebook_source", "python_facts"]

_BUILTINS = frozenset(dir(builtins))
_WORK = (ast.BinOp, ast.AugAssign, ast.Compare, ast.BoolOp, ast.UnaryOp)
_LOOPS = (ast.For, ast.While, ast.AsyncFor, ast.comprehension)
_SILENT, _ENDS = {ast.Import, ast.ImportFrom, ast.Pass}, {ast.Return, ast.Raise, ast.Break, ast.Continue}
_PLAIN = {ast.Constant, ast.List, ast.Tuple, ast.Dict}
_LONGEST, _MOST_WORDS, _MOST_STRINGS = 160, 3, 12
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_facts(source: str) -> Code:
    """Facts of a file. A file that does not parse, or is too deeply nested, has an error and no other facts."""
    try:
        with held_back(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _Reader(ast.parse(source)).facts()
    except SyntaxError as error:
        return Code("python", error=f"it does not parse: {error.msg}", error_line=error.lineno or 0)
    except (ValueError, RecursionError, MemoryError) as error:
        return Code("python", error=f"it does not parse: {type(error).__name__}")


def notebook_source(cells: list[str]) -> str:
    """The code cells of a notebook as one source; its magics (`%`, `!`, `?`) become empty lines."""
    lines = "\n".join(cells).split("\n")
    return "\n".join("" if line.lstrip().startswith(("%", "!", "?")) else line for line in lines)


class _Scope:
    """What was counted in one definition (or in the module)."""

    def __init__(self) -> None:
        self.foreign = 0
        self.work = 0
        self.stores = 0


class _Reader:
    """One walk over a tree. Dead branches (`if False`, after `return`) are not walked."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.aliases: dict[str, str] = {}
        self.imports: list[list] = []
        self.calls: list[Call] = []
        self.names: dict[str, int] = {}
        self.keys: dict[str, int] = {}
        self.definitions: list[Definition] = []
        self.scopes = [_Scope()]
        self.where = -1
        self.statements = 0
        self.literals: dict[str, tuple[str, ...]] = {}
        self.local: set[str] = set()

    def facts(self) -> Code:
        self._prepare()
        self._body(self.tree.body)
        module = self.scopes[0]
        imports = tuple(Import(*one[:4], used=one[2].split(".")[0] in self.names or one[1] == "*") for one in self.imports)
        return Code(
            "python",
            imports=imports,
            calls=tuple(self.calls),
            names=self.names,
            keys=self.keys,
            definitions=tuple(self._settled()),
            work=module.work + module.foreign,
            statements=self.statements,
        )

    def _prepare(self) -> None:
        """Names defined here and names that hold literal text, before the walk: both may be used above their line."""
        for node in _statements(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.local.add(node.name)
                if not isinstance(node, ast.ClassDef):
                    self._defaults(node)
            elif isinstance(node, ast.Assign) and len(node.targets) == 1:
                self._literal(node.targets[0], node.value)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._literal(node.target, node.value)

    def _defaults(self, node: _Function) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args]
        for argument, default in zip(arguments[len(arguments) - len(node.args.defaults) :], node.args.defaults, strict=True):
            self._literal(ast.Name(argument.arg), default)

    def _literal(self, target: ast.expr, value: ast.expr) -> None:
        if not isinstance(value, (ast.Constant, ast.Call, ast.BinOp, ast.JoinedStr, ast.List, ast.Tuple)):
            return
        name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
        if name:
            found = tuple(dict.fromkeys((*self.literals.get(name, ()), *_strings(value, {}))))
            if found:
                self.literals[name] = found[:_MOST_STRINGS]

    def _settled(self) -> Iterator[Definition]:
        """A class is a stub if all of its methods are and it keeps no state."""
        live = {one.parent for one in self.definitions if not one.stub and one.parent >= 0}
        for number, one in enumerate(self.definitions):
            yield one._replace(stub=number not in live) if one.kind == "class" and one.stub else one

    def _visit(self, node: Any) -> None:
        _HANDLERS[type(node)](self, node)

    def _children(self, node: ast.AST) -> None:
        for name in _FIELDS[type(node)]:
            value = getattr(node, name)
            _HANDLERS[type(value)](self, value)

    def _counted(self, node: ast.AST) -> None:
        self.scopes[-1].work += 1
        for name in _FIELDS[type(node)]:
            value = getattr(node, name)
            _HANDLERS[type(value)](self, value)

    def _list(self, nodes: list[Any]) -> None:
        if nodes and isinstance(nodes[0], ast.stmt):
            self._body(nodes)
            return
        for node in nodes:
            _HANDLERS[type(node)](self, node)

    def _body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            kind = type(statement)
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            if kind not in _SILENT:
                self.statements += 1
            _HANDLERS[kind](self, statement)
            if kind in _ENDS:
                return

    def _nothing(self, node: Any) -> None:
        """A leaf that says nothing."""

    def _import(self, node: ast.Import) -> None:
        for one in node.names:
            alias = one.asname or one.name.split(".")[0]
            self.aliases[alias] = one.name if one.asname else alias
            self.imports.append([one.name, "", alias, node.lineno])

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for one in node.names:
            alias = one.asname or one.name
            self.aliases[alias] = f"{module}.{one.name}"
            self.imports.append([module, one.name, alias, node.lineno])

    def _name(self, node: ast.Name) -> None:
        self.names.setdefault(node.id, node.lineno)

    def _attribute(self, node: ast.Attribute) -> None:
        self.names.setdefault(node.attr, node.lineno)
        if isinstance(node.ctx, ast.Store):
            self.scopes[-1].stores += 1
        self._visit(node.value)

    def _subscript(self, node: ast.Subscript) -> None:
        self._key(node.slice, node.lineno)
        self._children(node)

    def _call(self, node: ast.Call) -> None:
        name = self._dotted(node.func)
        if self._is_foreign(name):
            self.scopes[-1].foreign += 1
        strings: list[str] = []
        is_open = False
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            strings += _strings(value, self.literals)
            is_open = is_open or type(value) not in _PLAIN
        kept = tuple(dict.fromkeys(strings))[:_MOST_STRINGS] if strings else ()
        self.calls.append(Call(name, node.lineno, kept, self.where, is_open))
        if name.endswith(".get") and node.args:
            self._key(node.args[0], node.lineno)
        for keyword in node.keywords:
            if keyword.arg:
                self.names.setdefault(keyword.arg, node.lineno)
        self._children(node)

    def _key(self, node: ast.expr, line: int) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.keys.setdefault(node.value[:_LONGEST], line)

    def _is_foreign(self, name: str) -> bool:
        root, _, rest = name.partition(".")
        root = root.removesuffix("()")
        if root in ("self", "cls"):
            return rest.split(".")[0].removesuffix("()") not in self.local
        return root not in _BUILTINS and root not in self.local

    def _dotted(self, node: ast.expr) -> str:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            parts.append(self.aliases.get(node.id, node.id))
        elif isinstance(node, ast.Call):
            parts.append(self._dotted(node.func) + "()")
        elif isinstance(node, (ast.Constant, ast.JoinedStr)):
            parts.append("str")
        else:
            parts.append("?")
        return ".".join(reversed(parts))

    def _function(self, node: _Function) -> None:
        for one in [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]:
            self._visit(one)
        is_method = self.where >= 0 and self.definitions[self.where].kind == "class"
        number, scope = self._enter(node, "method" if is_method else "function")
        self._body(node.body)
        if is_method and node.name == "__init__":
            stub = scope.foreign == 0 and scope.work < 2 and scope.stores == 0
        else:
            stub = scope.foreign == 0 and scope.work < 2
        self._leave(number, stub)
        self.definitions[number] = self.definitions[number]._replace(hollow=stub and _is_hollow(node.body))
        outer = self.scopes[-1]
        if self.where >= 0 and not is_method:
            outer.foreign += scope.foreign
            outer.work += scope.work

    def _class(self, node: ast.ClassDef) -> None:
        for one in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
            self._visit(one)
        number, _ = self._enter(node, "class")
        self._body(node.body)
        self._leave(number, True)

    def _enter(self, node: _Function | ast.ClassDef, kind: str) -> tuple[int, _Scope]:
        decorated = bool(node.decorator_list)
        self.definitions.append(Definition(node.name, kind, self.where, node.lineno, node.end_lineno or 0, True, decorated))
        scope = _Scope()
        self.scopes.append(scope)
        self.where = len(self.definitions) - 1
        return self.where, scope

    def _leave(self, number: int, stub: bool) -> None:
        self.scopes.pop()
        self.definitions[number] = self.definitions[number]._replace(stub=stub)
        self.where = self.definitions[number].parent

    def _if(self, node: ast.If) -> None:
        known = _truth(node.test)
        if known is None:
            self._visit(node.test)
        if known is not False:
            self._body(node.body)
        if known is not True:
            self._body(node.orelse)

    def _while(self, node: ast.While) -> None:
        if _truth(node.test) is False:
            return
        self.scopes[-1].work += 1
        self._visit(node.test)
        self._body(node.body)
        self._body(node.orelse)


class _Handlers(dict[type, Callable[[_Reader, Any], None]]):
    """What the walk does with a node, a list of them or a plain value, by its type."""

    def __missing__(self, kind: type) -> Callable[[_Reader, Any], None]:
        self[kind] = _Reader._children if issubclass(kind, ast.AST) else _Reader._nothing  # pyright: ignore[reportPrivateUsage]
        return self[kind]


class _Fields(dict[type, tuple[str, ...]]):
    """The fields of a node that may hold other nodes."""

    def __missing__(self, kind: type) -> tuple[str, ...]:
        self[kind] = tuple(name for name in kind._fields if name not in ("ctx", "op", "ops", "type_comment"))
        return self[kind]


def _handlers() -> _Handlers:
    found = _Handlers(dict.fromkeys((*_WORK, *_LOOPS), _Reader._counted))
    found.update({
        ast.Import: _Reader._import, ast.ImportFrom: _Reader._import_from, ast.Call: _Reader._call, ast.Name: _Reader._name,
        ast.Attribute: _Reader._attribute, ast.Subscript: _Reader._subscript, ast.FunctionDef: _Reader._function,
        ast.AsyncFunctionDef: _Reader._function, ast.ClassDef: _Reader._class, ast.If: _Reader._if,
        ast.While: _Reader._while, ast.Constant: _Reader._nothing, list: _Reader._list,
    })  # fmt: skip
    return found


_HANDLERS = _handlers()
_FIELDS = _Fields()


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Every statement, at whatever depth; expressions are not looked into."""
    left: list[ast.stmt] = list(tree.body)
    while left:
        node = left.pop()
        yield node
        for name in _BLOCKS.get(type(node), ()):
            left.extend(getattr(node, name))
        for name in _GROUPS.get(type(node), ()):
            for one in getattr(node, name):
                left.extend(one.body)


def _named_fields(*names: str) -> dict[type, tuple[str, ...]]:
    """Statement -> those of the fields that it has."""
    kinds = (one for one in vars(ast).values() if isinstance(one, type) and issubclass(one, ast.stmt))
    found = {kind: tuple(name for name in names if name in kind._fields) for kind in kinds}
    return {kind: fields for kind, fields in found.items() if fields}


_BLOCKS, _GROUPS = _named_fields("body", "orelse", "finalbody"), _named_fields("handlers", "cases")


def _is_hollow(body: list[ast.stmt]) -> bool:
    """Nothing is done before the first statement that ends it, beyond giving back a literal or a name."""
    for statement in body:
        if isinstance(statement, ast.Raise):
            return True
        if isinstance(statement, ast.Return):
            return _is_given(statement.value)
        if isinstance(statement, ast.If) and _truth(statement.test) is False and not statement.orelse:
            continue
        if not isinstance(statement, (ast.Pass, ast.Import, ast.ImportFrom)) and not (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        ):
            return False
    return True


def _is_given(value: ast.expr | None) -> bool:
    if isinstance(value, (ast.Tuple, ast.List)):
        return all(_is_given(one) for one in value.elts)
    if isinstance(value, ast.Dict):
        return all(_is_given(one) for one in value.values)
    return value is None or isinstance(value, (ast.Constant, ast.Name))


def _truth(test: ast.expr) -> bool | None:
    """What a condition always is, or None."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Name) and test.id == "TYPE_CHECKING":
        return False
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand)
        return None if inner is None else not inner
    return None


def _strings(node: ast.expr, literals: dict[str, tuple[str, ...]], depth: int = 0) -> tuple[str, ...]:
    """Short literal texts in an argument: names and paths, not sentences."""
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.count(" ") < _MOST_WORDS and "\n" not in value:
            return (value,)
        return ()
    if isinstance(node, ast.Name):
        return literals.get(node.id, ())
    if isinstance(node, ast.Attribute):
        return literals.get(node.attr, ())
    inner = _INNER.get(type(node))
    if depth > 3 or inner is None:
        return ()
    found: list[str] = []
    for one in inner(node):
        found += _strings(one, literals, depth + 1)
    return (*_joined(node, found), *found) if found else ()


_INNER: dict[type, Callable[[Any], Iterable[ast.expr]]] = {
    ast.BinOp: lambda node: (node.left, node.right),
    ast.JoinedStr: lambda node: [one.value if isinstance(one, ast.FormattedValue) else one for one in node.values],
    ast.Call: lambda node: [node.func.value, *node.args] if isinstance(node.func, ast.Attribute) else node.args,
    ast.List: lambda node: node.elts[:_MOST_STRINGS],
    ast.Tuple: lambda node: node.elts[:_MOST_STRINGS],
    ast.Dict: lambda node: [value for value in node.values[:_MOST_STRINGS] if value is not None],
}
"""Where the texts of an argument may stand: the parts of an expression, by its type."""


def _joined(node: ast.expr, found: Sequence[str]) -> tuple[str, ...]:
    """The parts of a path as one: `os.path.join("a", "b")`, `Path("a") / "b"`."""
    is_join = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("join", "joinpath")
    is_slash = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    if (is_join or is_slash) and 1 < len(found) <= 6:
        return ("/".join(part.strip("/") for part in found),)
    return ()
