"""Facts of Python source, by `ast`: it is parsed and never run."""

import ast
import builtins
import warnings
from collections.abc import Callable, Iterator

from tenfold.judge.facts import Call, Code, Definition, Import

__all__ = ["notebook_source", "python_facts"]

_BUILTINS = frozenset(dir(builtins))
_WORK = (ast.BinOp, ast.AugAssign, ast.Compare, ast.BoolOp, ast.UnaryOp)
_LOOPS = (ast.For, ast.While, ast.AsyncFor, ast.comprehension)
_COUNTED = (*_WORK, *_LOOPS)
_LONGEST, _MOST_WORDS, _MOST_STRINGS = 160, 3, 12
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_facts(source: str) -> Code:
    """Facts of a file. A file that does not parse, or is too deeply nested, has an error and no other facts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        return _Reader(tree).facts()
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
        self.by_type: dict[type, Callable] = {
            ast.Import: self._import, ast.ImportFrom: self._import_from, ast.Call: self._call, ast.Name: self._name,
            ast.Attribute: self._attribute, ast.Subscript: self._subscript, ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function, ast.ClassDef: self._class, ast.If: self._if, ast.While: self._while,
            ast.Constant: self._nothing, ast.Load: self._nothing, ast.Store: self._nothing,
        }  # fmt: skip

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

    def _visit(self, node: ast.AST) -> None:
        handler = self.by_type.get(type(node))
        if handler is not None:
            handler(node)
            return
        if isinstance(node, _COUNTED):
            self.scopes[-1].work += 1
        self._children(node)

    def _children(self, node: ast.AST) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    self._body(value)
                else:
                    for one in value:
                        if isinstance(one, ast.AST):
                            self._visit(one)
            elif isinstance(value, ast.AST):
                self._visit(value)

    def _body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            if not isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass)):
                self.statements += 1
            self._visit(statement)
            if isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue)):
                return

    def _nothing(self, node: ast.AST) -> None:
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
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            self.keys.setdefault(node.slice.value[:_LONGEST], node.lineno)
        self._children(node)

    def _call(self, node: ast.Call) -> None:
        name = self._dotted(node.func)
        if self._is_foreign(name):
            self.scopes[-1].foreign += 1
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        strings = tuple(dict.fromkeys(text for value in values for text in _strings(value, self.literals)))[:_MOST_STRINGS]
        unknown = any(not isinstance(value, (ast.Constant, ast.List, ast.Tuple, ast.Dict)) for value in values)
        self.calls.append(Call(name, node.lineno, strings, self.where, unknown))
        if (
            name.endswith(".get")
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            self.keys.setdefault(node.args[0].value[:_LONGEST], node.lineno)
        for keyword in node.keywords:
            if keyword.arg:
                self.names.setdefault(keyword.arg, node.lineno)
        self._children(node)

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


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Every statement, at whatever depth; expressions are not looked into."""
    left: list[ast.stmt] = list(tree.body)
    while left:
        node = left.pop()
        yield node
        for name in ("body", "orelse", "finalbody"):
            left.extend(getattr(node, name, ()))
        for name in ("handlers", "cases"):
            for one in getattr(node, name, ()):
                left.extend(one.body)


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
    if depth > 3:
        return ()
    inner: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        inner = [node.left, node.right]
    elif isinstance(node, ast.JoinedStr):
        inner = [one.value if isinstance(one, ast.FormattedValue) else one for one in node.values]
    elif isinstance(node, ast.Call):
        inner = [*([node.func.value] if isinstance(node.func, ast.Attribute) else []), *node.args]
    elif isinstance(node, (ast.List, ast.Tuple)):
        inner = node.elts[:_MOST_STRINGS]
    elif isinstance(node, ast.Dict):
        inner = [value for value in node.values[:_MOST_STRINGS] if value is not None]
    found = tuple(text for one in inner for text in _strings(one, literals, depth + 1))
    return (*_joined(node, found), *found)


def _joined(node: ast.expr, found: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of a path as one: `os.path.join("a", "b")`, `Path("a") / "b"`."""
    is_join = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("join", "joinpath")
    is_slash = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    if (is_join or is_slash) and 1 < len(found) <= 6:
        return ("/".join(part.strip("/") for part in found),)
    return ()
