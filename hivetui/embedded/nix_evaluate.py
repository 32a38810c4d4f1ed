"""What a tree of `nix_syntax` means: lazy evaluation, for the stand-in of nix. Pure but for `import`.

Values are None, bool, int, float, str, Path (a Nix path), list, dict (a set), `Function` and `Builtin`. What stands in
a list or a set may be a `Thunk`, an expression that is evaluated when it is first wanted. Strings carry no context.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hivetui.embedded.nix_syntax import NixError, Node, Position

Value = Any


class Scope:
    """Names in reach: its own, then those of the scope around it; names brought by `with` come last of all."""

    __slots__ = ("names", "outer", "weak")

    def __init__(self, names: dict[str, Value], outer: Scope | None, weak: Node | None = None) -> None:
        self.names, self.outer, self.weak = names, outer, weak

    def find(self, name: str, position: Position | None) -> Value:
        """The value of a name."""
        scope: Scope | None = self
        while scope:
            if scope.weak is None and name in scope.names:
                return force(scope.names[name])
            scope = scope.outer
        scope = self
        while scope:
            if scope.weak is not None:
                found = attributes(evaluate(scope.weak, scope.outer or scope), position)
                if name in found:
                    return force(found[name])
            scope = scope.outer
        raise NixError(f"undefined variable '{name}'", position)


class Thunk:
    """An expression that waits."""

    __slots__ = ("_make", "_value", "_working")

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make: Callable[[], Value] | None = make
        self._value: Value = None
        self._working = False

    def force(self) -> Value:
        """Its value, made once."""
        if self._make is not None:
            if self._working:
                raise NixError("infinite recursion encountered")
            self._working = True
            try:
                self._value = force(self._make())
            finally:
                self._working = False
            self._make = None
        return self._value


class Function:
    """A function of the language."""

    __slots__ = ("body", "formals", "name", "position", "scope")

    def __init__(self, node: Node, scope: Scope) -> None:
        _, self.position, self.name, self.formals, self.body = node
        self.scope = scope


class Builtin:
    """A function of ours with a fixed count of arguments; `given` are those it has."""

    __slots__ = ("count", "given", "work")

    def __init__(self, work: Callable[..., Value], count: int, given: tuple[Value, ...] = ()) -> None:
        self.work, self.count, self.given = work, count, given


def force(value: Value) -> Value:
    """A value that is no thunk."""
    return value.force() if isinstance(value, Thunk) else value


def later(node: Node, scope: Scope) -> Value:
    """A value to be made when it is wanted; literals are made at once."""
    if node[0] in ("literal", "text"):
        return node[2]
    return Thunk(lambda: evaluate(node, scope))


def evaluate(node: Node, scope: Scope) -> Value:
    """The value of a tree; its parts may wait."""
    return _KINDS[node[0]](node, scope)


def kind(value: Value) -> str:
    """What nix calls a value in its messages."""
    names: tuple[tuple[Any, str], ...] = (
        (type(None), "null"),
        (bool, "a Boolean"),
        (int, "an integer"),
        (float, "a float"),
        (str, "a string"),
        (Path, "a path"),
        (list, "a list"),
        (dict, "a set"),
    )
    return next((name for cls, name in names if isinstance(value, cls)), "a function")


def wanted(value: Value, cls: Any, name: str, position: Position | None = None) -> Value:
    """The forced value when it is one of `cls`; else nix's complaint."""
    value = force(value)
    if not isinstance(value, cls) or (isinstance(value, bool) and cls is not bool):
        raise NixError(f"value is {kind(value)} while {name} was expected", position)
    return value


def attributes(value: Value, position: Position | None = None) -> dict[str, Value]:
    """A set."""
    found: dict[str, Value] = wanted(value, dict, "a set", position)
    return found


def truth(value: Value, position: Position | None = None) -> bool:
    """A Boolean."""
    return bool(wanted(value, bool, "a Boolean", position))


def text_of(value: Value, position: Position | None = None, loose: bool = False) -> str:
    """A string out of a value: in an interpolation, or (`loose`) as toString makes it."""
    value = force(value)
    if isinstance(value, str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return _text_of_set(value, position, loose)
    if loose and (value is None or isinstance(value, bool)):
        return "1" if value else ""
    if loose and isinstance(value, int | float):
        return f"{value:.6f}" if isinstance(value, float) else str(value)
    if loose and isinstance(value, list):
        return " ".join(text_of(item, position, loose) for item in value)
    raise NixError(f"cannot coerce {kind(value)} to a string", position)


def _text_of_set(value: dict[str, Value], position: Position | None, loose: bool) -> str:
    if "__toString" in value:
        return text_of(apply(value["__toString"], value, position), position, loose)
    if force(value.get("type")) == "derivation":
        raise NixError("the embedded nix does not know a derivation that uses another one", position)
    if "outPath" in value:
        return text_of(value["outPath"], position, loose)
    raise NixError("cannot coerce a set to a string", position)


def apply(function: Value, argument: Value, position: Position | None = None) -> Value:
    """A function's value for an argument (which may wait)."""
    function = force(function)
    if isinstance(function, Builtin):
        given = (*function.given, argument)
        return function.work(*given) if len(given) == function.count else Builtin(function.work, function.count, given)
    if isinstance(function, dict) and "__functor" in function:
        return apply(apply(function["__functor"], function, position), argument, position)
    if not isinstance(function, Function):
        raise NixError(f"attempt to call something which is not a function but {kind(function)}", position)
    return evaluate(function.body, _bound(function, argument, position))


def _bound(function: Function, argument: Value, position: Position | None) -> Scope:
    names: dict[str, Value] = {}
    scope = Scope(names, function.scope)
    if function.name:
        names[function.name] = argument
    if function.formals is None:
        return scope
    formals, others = function.formals
    given = attributes(argument, position)
    for name, default in formals.items():
        if name in given:
            names[name] = given[name]
        elif default is not None:
            names[name] = later(default, scope)
        else:
            raise NixError(f"function called without required argument '{name}'", function.position)
    unknown = [] if others else sorted(set(given) - set(formals))
    if unknown:
        raise NixError(f"function called with unexpected argument '{unknown[0]}'", function.position)
    return scope


def equal(left: Value, right: Value) -> bool:
    """Deep equality; functions are never equal."""
    left, right = force(left), force(right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
    numbers = (int, float)
    if type(left) is not type(right) and not (type(left) in numbers and type(right) in numbers):
        return False
    return not isinstance(left, Function | Builtin) and bool(left == right)


def _name(node: Node, scope: Scope) -> str | None:
    """An attribute's name; None for a dynamic one that is null."""
    value = evaluate(node, scope)
    return None if value is None else str(wanted(value, str, "a string", node[1]))


def _name_value(node: Node, scope: Scope) -> Value:
    return scope.find(node[2], node[1])


def _path(node: Node, scope: Scope) -> Value:
    text = node[2]
    base = os.path.dirname(node[1].source.file)  # noqa: PTH120  (a text, which may be no path at all)
    return Path(os.path.normpath(text if text.startswith("/") else f"{base}/{text}"))


def _string(node: Node, scope: Scope) -> Value:
    return "".join(text_of(evaluate(part, scope), node[1]) for part in node[2])


def _set(node: Node, scope: Scope) -> Value:
    _, _, recursive, bindings = node
    made: dict[str, Value] = {}
    inner = Scope(made, scope) if recursive else scope
    _bind(made, bindings, inner, scope)
    return made


def _bind(made: dict[str, Value], bindings: list[Node], inner: Scope, outer: Scope) -> None:
    """Put bindings into a set; `a.b = 1; a.c = 2;` meet in one `a`."""
    nested: dict[str, list[Node]] = {}
    for binding in bindings:
        if binding[0] == "inherit":
            _inherit(made, binding, inner, outer)
            continue
        _, position, path, value = binding
        name = _name(path[0], inner)
        if name is None:
            continue
        if len(path) == 1 and value[0] == "set" and not value[2] and name in nested:
            nested[name] += value[3]
        elif len(path) > 1:
            nested.setdefault(name, []).append(("bind", position, path[1:], value))
            nested[name] = [*_opened(made.pop(name, None), name, position), *nested[name]]
        elif name in made or name in nested:
            raise NixError(f"attribute '{name}' already defined", position)
        else:
            made[name] = value if value[0] == "set" and not value[2] else later(value, inner)
    for name, value in list(made.items()):
        if isinstance(value, tuple):  # a plain set, kept as a tree until it is sure that no dotted name adds to it
            made[name] = later(value, inner)
    for name, parts in nested.items():
        made[name] = later(("set", parts[0][1], False, parts), inner)


def _opened(value: Value, name: str, position: Position) -> list[Node]:
    if value is None:
        return []
    if isinstance(value, tuple):
        return list(value[3])
    raise NixError(f"attribute '{name}' already defined", position)


def _inherit(made: dict[str, Value], binding: Node, inner: Scope, outer: Scope) -> None:
    _, position, source, names = binding
    for node in names:
        name = _name(node, outer) or ""
        if name in made:
            raise NixError(f"attribute '{name}' already defined", position)
        if source is None:
            made[name] = later(("name", position, name), outer)
        else:
            made[name] = later(("select", position, source, [("text", position, name)], None), inner)


def _let(node: Node, scope: Scope) -> Value:
    names: dict[str, Value] = {}
    inner = Scope(names, scope)
    _bind(names, node[2], inner, scope)
    return evaluate(node[3], inner)


def _if(node: Node, scope: Scope) -> Value:
    return evaluate(node[3] if truth(evaluate(node[2], scope), node[1]) else node[4], scope)


def _assert(node: Node, scope: Scope) -> Value:
    if not truth(evaluate(node[2], scope), node[1]):
        raise NixError("assertion failed", node[1])
    return evaluate(node[3], scope)


def _select(node: Node, scope: Scope) -> Value:
    _, position, subject, path, default = node
    value = evaluate(subject, scope)
    for part in path:
        name = _name(part, scope)
        value = force(value)
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif default is not None:
            return evaluate(default, scope)
        else:
            attributes(value, position)
            raise NixError(f"attribute '{name}' missing", position)
    return force(value)


def _has(node: Node, scope: Scope) -> Value:
    value = evaluate(node[2], scope)
    for part in node[3]:
        value, name = force(value), _name(part, scope)
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _binary(node: Node, scope: Scope) -> Value:
    _, position, sign, left, right = node
    if sign in ("&&", "||", "->"):
        first = truth(evaluate(left, scope), position)
        decided = {"&&": not first, "||": first, "->": not first}[sign]
        return (sign != "&&") if decided else truth(evaluate(right, scope), position)
    return _OPERATORS[sign](evaluate(left, scope), evaluate(right, scope), position)


def _plus(left: Value, right: Value, position: Position) -> Value:
    if _number(left) and _number(right):
        return left + right
    if isinstance(left, Path):
        return Path(os.path.normpath(str(left) + text_of(right, position)))
    return text_of(left, position) + text_of(right, position)


def _number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arithmetic(work: Callable[[Value, Value], Value]) -> Callable[[Value, Value, Position], Value]:
    def run(left: Value, right: Value, position: Position) -> Value:
        left = wanted(left, int | float, "an integer", position)
        right = wanted(right, int | float, "an integer", position)
        try:
            return work(left, right)
        except ZeroDivisionError:
            raise NixError("division by zero", position) from None

    return run


def _divide(left: Value, right: Value) -> Value:
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def less(left: Value, right: Value, position: Position | None = None) -> bool:
    """Whether one value sorts before another of its kind."""
    left, right = force(left), force(right)
    if (_number(left) and _number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return bool(left < right)
    raise NixError(f"cannot compare {kind(left)} with {kind(right)}", position)


_OPERATORS: dict[str, Callable[[Value, Value, Position], Value]] = {
    "==": lambda a, b, _: equal(a, b),
    "!=": lambda a, b, _: not equal(a, b),
    "<": less,
    ">": lambda a, b, at: less(b, a, at),
    "<=": lambda a, b, at: not less(b, a, at),
    ">=": lambda a, b, at: not less(a, b, at),
    "//": lambda a, b, at: {**attributes(a, at), **attributes(b, at)},
    "++": lambda a, b, at: [*wanted(a, list, "a list", at), *wanted(b, list, "a list", at)],
    "+": _plus,
    "-": _arithmetic(lambda a, b: a - b),
    "*": _arithmetic(lambda a, b: a * b),
    "/": _arithmetic(_divide),
}

_KINDS: dict[str, Callable[[Node, Scope], Value]] = {
    "apply": lambda node, scope: apply(evaluate(node[2], scope), later(node[3], scope), node[1]),
    "assert": _assert,
    "binary": _binary,
    "function": lambda node, scope: Function(node, scope),
    "has": _has,
    "if": _if,
    "let": _let,
    "list": lambda node, scope: [later(item, scope) for item in node[2]],
    "literal": lambda node, _: node[2],
    "name": _name_value,
    "negate": lambda node, scope: -wanted(evaluate(node[2], scope), int | float, "an integer", node[1]),
    "not": lambda node, scope: not truth(evaluate(node[2], scope), node[1]),
    "path": _path,
    "select": _select,
    "set": _set,
    "string": _string,
    "text": lambda node, _: node[2],
    "with": lambda node, scope: evaluate(node[3], Scope({}, scope, weak=node[2])),
}
