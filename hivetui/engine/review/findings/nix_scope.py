"""What the names in Nix source text are bound to. Nothing is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tree_sitter import Node

from hivetui.engine.nix.syntax import Syntax

SETS = ("attrset_expression", "rec_attrset_expression", "let_attrset_expression")
Names = tuple[str, ...]
Spot = tuple[str, int]
"""A file and a line in it, from 1."""


@dataclass(frozen=True)
class Source:
    """A parsed file."""

    path: str
    syntax: Syntax

    def text(self, node: Node) -> str:
        """The source text of a node."""
        return self.syntax.text(node)


class Entry(NamedTuple):
    """What a name is bound to: the attributes that remain below it, and the expression with its scope."""

    rest: Names
    node: Node
    scope: Scope


@dataclass
class Scope:
    """The names that are in force at a place; `arguments` are those of functions, `with_set` is the set of a `with`."""

    source: Source
    parent: Scope | None = None
    names: dict[str, list[Entry]] = field(default_factory=dict)
    arguments: frozenset[str] = frozenset()
    with_set: Node | None = None

    def find(self, name: str) -> list[Entry] | None:
        """What a name is bound to; None for an argument, a global, and what a `with` may bring."""
        scope = self._holder(name)
        return scope.names.get(name) if scope is not None else None

    def is_bound(self, name: str) -> bool:
        """Whether a name is bound by `let`, by `rec`, or as an argument."""
        return self._holder(name) is not None

    def _holder(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and name not in scope.names and name not in scope.arguments:
            scope = scope.parent
        return scope

    def innermost_with(self) -> tuple[Node, Scope] | None:
        """The set of the innermost `with`, and the scope that it is read in."""
        scope: Scope | None = self
        while scope is not None:
            if scope.with_set is not None and scope.parent is not None:
                return scope.with_set, scope.parent
            scope = scope.parent
        return None


def bindings(node: Node) -> Iterator[Node]:
    """The bindings of a set or a `let`: `binding`, `inherit` and `inherit_from` nodes."""
    for child in node.named_children:
        if child.type == "binding_set":
            yield from (binding for binding in child.named_children if binding.type != "comment")


def function_scope(node: Node, scope: Scope) -> Scope:
    """The scope of the body of a function: its arguments have no known values."""
    found = set()
    if (universal := node.child_by_field_name("universal")) is not None:
        found.add(scope.source.text(universal))
    formals = node.child_by_field_name("formals")
    for formal in formals.named_children if formals is not None else ():
        if (name := formal.child_by_field_name("name")) is not None:
            found.add(scope.source.text(name))
    return Scope(scope.source, scope, arguments=frozenset(found))


def child(node: Node, field_name: str) -> Node:
    """The child in a field; the node itself where the text has an error, so that a walk goes on and ends."""
    return node.child_by_field_name(field_name) or node


def flatten_call(node: Node) -> tuple[Node, list[Node]]:
    """The function of `f a b` and its arguments in order."""
    arguments: list[Node] = []
    while node.type == "apply_expression":
        arguments.append(child(node, "argument"))
        node = child(node, "function")
    return node, arguments[::-1]


def spot(node: Node, scope: Scope) -> Spot:
    """Where an expression begins."""
    return scope.source.path, node.start_point.row + 1


def unwrap(node: Node) -> Node:
    """The expression within parentheses."""
    while node.type == "parenthesized_expression" and node.child_by_field_name("expression") is not None:
        node = child(node, "expression")
    return node
