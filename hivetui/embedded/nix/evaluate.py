"""Lazy evaluation of plain Nix modules, for the stand-in for nix.

It evaluates the whole language but paths in <> and below ~ and URLs without quotes, and of the built-in functions those
that only compute. Anything else is an error that names it: the real nix is used wherever the machine has it.

Modules are written by agents, so every file, the nesting and the number of steps are limited.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from tree_sitter import Node

from hivetui.embedded.nix import operators, strings
from hivetui.embedded.nix.source import File
from hivetui.embedded.nix.values import (
    Attributes,
    Function,
    NixError,
    Position,
    Thrown,
    Thunk,
    Value,
    apply,
    coerce,
    expect,
    expect_set,
    force,
    join,
    unsupported,
)

LARGEST_INTEGER = 2**63 - 1
_MOST_NAMES = 1000  # among which the nearest one is looked for

_UNSUPPORTED = {
    "hpath_expression": "a path below the home directory",
    "spath_expression": "a search path in <>",
    "uri_expression": "a URL without quotes",
}


class Scope:
    """The names that an expression sees: its own, then those of the enclosing scope; those of `with` come last."""

    __slots__ = ("file", "names", "outer", "with_set")

    def __init__(
        self, file: File, names: dict[str, Value], outer: Scope | None = None, with_set: Value | None = None
    ) -> None:
        self.file, self.names, self.outer, self.with_set = file, names, outer, with_set

    def inner(self, names: dict[str, Value], with_set: Value | None = None) -> Scope:
        """A scope inside this one."""
        return Scope(self.file, names, self, with_set)

    def find(self, name: str, node: Node) -> Value:
        """The value of a variable."""
        scope: Scope | None = self
        while scope:
            if name in scope.names:
                return force(scope.names[name])
            scope = scope.outer
        scope = self
        while scope:
            if scope.with_set is not None:
                attributes = expect_set(scope.with_set, self.file.position(node))
                if name in attributes:
                    return force(attributes[name])
            scope = scope.outer
        raise NixError(f"undefined variable '{name}'", self.file.position(node))


def evaluate_file(file: File, names: dict[str, Value]) -> Value:
    """The value of a file whose expression sees `names`."""
    return evaluate(file.expression(), Scope(file, names))


def evaluate(node: Node, scope: Scope) -> Value:
    """The value of an expression. Its attributes and elements are evaluated when they are needed."""
    evaluator = _EVALUATORS.get(node.type)
    if evaluator is None:
        construct = _UNSUPPORTED.get(node.type, node.type.replace("_", " "))
        raise unsupported(construct, scope.file.position(node))
    limits = scope.file.limits
    limits.enter(scope.file, node)
    try:
        return evaluator(node, scope)
    except NixError as failure:  # a builtin does not know where it was called
        failure.position = failure.position or scope.file.position(node)
        raise
    finally:
        limits.leave()


def delay(node: Node, scope: Scope) -> Thunk:
    """An expression that is evaluated when it is needed."""
    return Thunk(lambda: evaluate(node, scope), lambda: scope.file.position(node))


def _child(node: Node, field: str) -> Node:
    child = node.child_by_field_name(field)
    if child is None:  # the tree has no syntax error, so the grammar differs from the one this was written for
        raise LookupError(f"{node.type} has no {field}")
    return child


# Literals


def _integer(node: Node, scope: Scope) -> Value:
    digits = scope.file.text(node)
    if len(digits) > len(str(LARGEST_INTEGER)) or int(digits) > LARGEST_INTEGER:
        raise NixError(f"invalid integer '{digits[:40]}'", scope.file.position(node))
    return int(digits)


def _string_part(scope: Scope) -> strings.Text:
    def text(node: Node) -> str:
        if node.type != "interpolation":
            return scope.file.text(node)
        inner = _child(node, "expression")
        return coerce(evaluate(inner, scope), scope.file.position(inner))

    return text


def _string(node: Node, scope: Scope) -> Value:
    return join("", strings.parts(node, _string_part(scope)))


def _indented_string(node: Node, scope: Scope) -> Value:
    return strings.dedent(strings.parts(node, _string_part(scope)))


def _path(node: Node, scope: Scope) -> Value:
    return strings.path(node, _string_part(scope), scope.file.name)


def _list(node: Node, scope: Scope) -> Value:
    return [delay(element, scope) for element in node.children_by_field_name("element")]


# Attribute sets


def _attribute_name(node: Node, scope: Scope) -> str | None:
    """A name; None for one that is null, which leaves its binding out."""
    if node.type == "identifier":
        return scope.file.text(node)
    if node.type == "string_expression":
        return str(_string(node, scope))
    inner = _child(node, "expression")
    name = evaluate(inner, scope)
    return None if name is None else str(expect(name, str, scope.file.position(inner)))


def _attribute_names(node: Node, scope: Scope) -> list[str | None]:
    return [_attribute_name(name, scope) for name in _child(node, "attrpath").children_by_field_name("attr")]


def _attribute_path(node: Node, scope: Scope) -> list[str]:
    """The names that are looked up, none of which may be null."""
    return [str(expect(name, str, scope.file.position(node))) for name in _attribute_names(node, scope)]


def _empty_set(node: Node, scope: Scope) -> Attributes:
    return Attributes(lambda: scope.file.position(node))


def _set(node: Node, scope: Scope) -> Value:
    attributes = _empty_set(node, scope)
    _bind(attributes, node, scope, scope)
    return attributes


def _recursive_set(node: Node, scope: Scope) -> Value:
    attributes = _empty_set(node, scope)
    _bind(attributes, node, scope.inner(attributes), scope)
    return attributes


def _bind(attributes: dict[str, Value], node: Node, scope: Scope, outer: Scope) -> None:
    """Put the bindings of a set or of a let into `attributes`; `inherit x` looks its names up in `outer`."""
    for binding_set in node.named_children:
        if binding_set.type != "binding_set":
            continue
        for binding in binding_set.children_by_field_name("binding"):
            if binding.type == "binding":
                _bind_path(attributes, binding, scope)
            else:
                _inherit(attributes, binding, scope, outer)


def _bind_path(attributes: dict[str, Value], binding: Node, scope: Scope) -> None:
    """Put `a.b = value` into a set: `a.b = 1; a.c = 2; a = { d = 3; };` make one `a`."""
    path = [name for name in _attribute_names(binding, scope) if name is not None]
    if len(path) < len(_child(binding, "attrpath").children_by_field_name("attr")):
        return
    *parents, name = path
    for parent in parents:
        attributes = attributes.setdefault(parent, _empty_set(binding, scope))
        if not isinstance(attributes, dict):
            raise _already_defined(parent, binding, scope)
    value = _child(binding, "expression")
    if value.type == "attrset_expression" and isinstance(attributes.get(name, {}), dict):
        limits = scope.file.limits
        limits.enter(scope.file, value)
        try:
            _bind(attributes.setdefault(name, _empty_set(value, scope)), value, scope, scope)
        finally:
            limits.leave()
    elif name in attributes:
        raise _already_defined(name, binding, scope)
    else:
        attributes[name] = delay(value, scope)


def _already_defined(name: str, node: Node, scope: Scope) -> NixError:
    return NixError(f"attribute '{name}' already defined", scope.file.position(node))


def _inherit(attributes: dict[str, Value], binding: Node, scope: Scope, outer: Scope) -> None:
    source = binding.child_by_field_name("expression")
    for node in _child(binding, "attrs").children_by_field_name("attr"):
        name = str(expect(_attribute_name(node, outer), str, scope.file.position(node)))
        if name in attributes:
            raise _already_defined(name, node, scope)
        attributes[name] = _inherited(name, node, source, scope if source else outer)


def _inherited(name: str, node: Node, source: Node | None, scope: Scope) -> Thunk:
    def find_position() -> Position:
        return scope.file.position(node)

    if source is None:
        return Thunk(lambda: scope.find(name, node), find_position)
    return Thunk(lambda: _attribute(evaluate(source, scope), name, node, scope), find_position)


def _attribute(value: Value, name: str, node: Node, scope: Scope) -> Value:
    attributes = expect_set(value, scope.file.position(node))
    if name not in attributes:
        nearest = difflib.get_close_matches(name, list(attributes)[:_MOST_NAMES], 1)
        raise NixError(f"attribute '{name}' missing", scope.file.position(node), nearest[0] if nearest else None)
    return force(attributes[name])


def _select(node: Node, scope: Scope) -> Value:
    value = evaluate(_child(node, "expression"), scope)
    default = node.child_by_field_name("default")
    for name in _attribute_path(node, scope):
        if default is not None and not (isinstance(value, dict) and name in value):
            return evaluate(default, scope)
        value = _attribute(value, name, node, scope)
    return value


def _has_attribute(node: Node, scope: Scope) -> Value:
    value = evaluate(_child(node, "expression"), scope)
    *parents, last = _attribute_path(node, scope)
    for name in parents:
        if not isinstance(value, dict) or name not in value:
            return False
        value = force(value[name])
    return isinstance(value, dict) and last in value


# Names, functions and control


def _variable(node: Node, scope: Scope) -> Value:
    return scope.find(scope.file.text(node), node)


def _let(node: Node, scope: Scope) -> Value:
    names: dict[str, Value] = {}
    inner = scope.inner(names)
    _bind(names, node, inner, scope)
    return evaluate(_child(node, "body"), inner)


def _old_let(node: Node, scope: Scope) -> Value:
    """`let { …; body = x; }`, which is the body."""
    return _attribute(_recursive_set(node, scope), "body", node, scope)


def _with(node: Node, scope: Scope) -> Value:
    names = delay(_child(node, "environment"), scope)
    return evaluate(_child(node, "body"), scope.inner({}, with_set=names))


def _if(node: Node, scope: Scope) -> Value:
    branch = "consequence" if _condition(node, scope) else "alternative"
    return evaluate(_child(node, branch), scope)


def _assert(node: Node, scope: Scope) -> Value:
    if not _condition(node, scope):
        raise Thrown("assertion failed", scope.file.position(node))
    return evaluate(_child(node, "body"), scope)


def _condition(node: Node, scope: Scope) -> bool:
    condition = _child(node, "condition")
    return bool(expect(evaluate(condition, scope), bool, scope.file.position(condition)))


def _function(node: Node, scope: Scope) -> Value:
    header, argument_name = node.child_by_field_name("formals"), node.child_by_field_name("universal")
    body = _child(node, "body")

    def call(argument: Value, position: Position | None) -> Value:
        names: dict[str, Value] = {scope.file.text(argument_name): argument} if argument_name else {}
        inner = scope.inner(names)
        if header is not None:
            _bind_formals(names, header, expect_set(argument, position), inner)
        return evaluate(body, inner)

    return Function(call, _formals(header, scope))


def _formals(header: Node | None, scope: Scope) -> dict[str, bool]:
    """The names in the header of a function, and whether each has a default."""
    formals = header.children_by_field_name("formal") if header is not None else []
    return {
        scope.file.text(_child(formal, "name")): formal.child_by_field_name("default") is not None for formal in formals
    }


def _bind_formals(names: dict[str, Value], header: Node, given: dict[str, Value], scope: Scope) -> None:
    """Put the attributes that a `{ a, b ? 1, ... }` header names, or their defaults, into `names`."""
    formals = {scope.file.text(_child(formal, "name")): formal for formal in header.children_by_field_name("formal")}
    for name, formal in formals.items():
        default = formal.child_by_field_name("default")
        if name in given:
            names[name] = given[name]
        elif default is not None:
            names[name] = delay(default, scope)
        else:
            raise NixError(f"function called without required argument '{name}'", scope.file.position(header))
    unexpected = sorted(given.keys() - formals)
    if unexpected and header.child_by_field_name("ellipses") is None:
        raise NixError(f"function called with unexpected argument '{unexpected[0]}'", scope.file.position(header))


def _apply(node: Node, scope: Scope) -> Value:
    function = evaluate(_child(node, "function"), scope)
    return apply(function, delay(_child(node, "argument"), scope), scope.file.position(node))


def _binary(node: Node, scope: Scope) -> Value:
    sign, position = scope.file.text(_child(node, "operator")), scope.file.position(node)
    left, right = delay(_child(node, "left"), scope), delay(_child(node, "right"), scope)
    return operators.binary(sign, left, right, position, scope.file.limits.step)


def _unary(node: Node, scope: Scope) -> Value:
    sign, argument = scope.file.text(_child(node, "operator")), _child(node, "argument")
    return operators.unary(sign, evaluate(argument, scope), scope.file.position(node))


_EVALUATORS: dict[str, Callable[[Node, Scope], Value]] = {
    "apply_expression": _apply,
    "assert_expression": _assert,
    "attrset_expression": _set,
    "binary_expression": _binary,
    "float_expression": lambda node, scope: float(scope.file.text(node)),
    "function_expression": _function,
    "has_attr_expression": _has_attribute,
    "if_expression": _if,
    "indented_string_expression": _indented_string,
    "integer_expression": _integer,
    "let_attrset_expression": _old_let,
    "let_expression": _let,
    "list_expression": _list,
    "parenthesized_expression": lambda node, scope: evaluate(_child(node, "expression"), scope),
    "path_expression": _path,
    "rec_attrset_expression": _recursive_set,
    "select_expression": _select,
    "string_expression": _string,
    "unary_expression": _unary,
    "variable_expression": _variable,
    "with_expression": _with,
}
