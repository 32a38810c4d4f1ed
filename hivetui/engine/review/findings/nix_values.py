"""Values of Nix expressions as normalised text: two spellings of the same value are equal.

Constants are folded, variables that a `let` binds are replaced by their values, comments and blanks are left out. What
is not a constant keeps its source text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import NamedTuple

from tree_sitter import Node

from hivetui.engine.model.text import to_bytes
from hivetui.engine.review.findings.budget import Budget
from hivetui.engine.review.findings.nix_scope import (
    SETS,
    Entry,
    Names,
    Scope,
    Spot,
    bindings,
    child,
    function_scope,
    spot,
    unwrap,
)

COMPUTED = "?"
"""Stands in an attribute path for a name that is not a constant."""
MAX_VALUE = 2000
"""Characters of a value; a longer one ends with the hash of all of it."""
_CONSTANTS = ("true", "false", "null")
_BLANKS = re.compile(r"\s*\n\s*")
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r"}
_LITERALS = ("integer_expression", "float_expression", "uri_expression", "spath_expression", "hpath_expression")
_READ = (
    *("string_expression", "indented_string_expression", "path_expression", "variable_expression"),
    *("select_expression", "parenthesized_expression"),
)
"""What is normalised within an expression that is not a constant."""
_MAX_NESTED = 24
"""Variables within variables whose values are put in."""


class Value(NamedTuple):
    """A normalised value; `known` says that it is a constant, `plain` is the text of a string or a path."""

    text: str
    known: bool
    plain: str | None = None


class Values:
    """Reads names and values. `digest` gives the hash of the file at a path, as written in another file."""

    def __init__(
        self,
        budget: Budget,
        digest: Callable[[str, str], str],
        open_import: Callable[[Node, Scope], Entry | None],
    ) -> None:
        self._budget, self._digest, self._open_import = budget, digest, open_import
        self.places: list[Spot] = []
        """Where the parts of the value that was read last stand."""

    def names(self, attrpath: Node, scope: Scope) -> Names:
        """The names of an attribute path, `a."b c".${d}`."""
        return tuple(self.name(attr, scope) for attr in attrpath.named_children if attr.type != "comment")

    def name(self, attr: Node, scope: Scope) -> str:
        """One name; COMPUTED if it is not a constant."""
        if attr.type not in ("interpolation", "string_expression"):
            return scope.source.text(attr)
        node = child(attr, "expression") if attr.type == "interpolation" else attr
        value = self._read(node, scope, 0)
        return value.plain if value.known and value.plain is not None else COMPUTED

    def look_up(self, node: Node, scope: Scope, depth: int = 0) -> list[Entry] | None:
        """What an expression is bound to: a variable, or an attribute of one; None if that is not known."""
        self._budget.step(depth)
        node = unwrap(node)
        if node.type == "variable_expression":
            return scope.find(scope.source.text(node))
        if node.type != "select_expression":
            return None
        entries: list[Entry] | None = self._set_entries(child(node, "expression"), scope, depth + 1)
        for name in self.names(child(node, "attrpath"), scope):
            entries = self.select(entries, name, depth + 1)
        return entries

    def written(self, node: Node, scope: Scope) -> Entry:
        """What a name stands for, if it stands for one thing; else the expression itself."""
        node = unwrap(node)
        entries = self.look_up(node, scope)
        if entries and len(entries) == 1 and not entries[0].rest:
            return Entry((), unwrap(entries[0].node), entries[0].scope)
        return Entry((), node, scope)

    def _set_entries(self, node: Node, scope: Scope, depth: int) -> list[Entry] | None:
        node = unwrap(node)
        return [Entry((), node, scope)] if node.type in SETS else self.look_up(node, scope, depth)

    def select(self, entries: list[Entry] | None, name: str, depth: int) -> list[Entry] | None:
        """The attribute `name` of what a name is bound to; None if that is not known."""
        found: list[Entry] = []
        for entry in entries or ():
            self._budget.step(depth)
            if entry.rest:
                found += [Entry(entry.rest[1:], entry.node, entry.scope)] if entry.rest[0] == name else []
                continue
            node, scope = self._to_set(entry.node, entry.scope, depth)
            if node.type in SETS:
                inner = self.set_scope(node, scope)
                found += self.bound_in(node, inner).get(name, [])
            else:
                found += self.select(self.look_up(node, scope, depth + 1), name, depth + 1) or []
        return found or None

    def _to_set(self, node: Node, scope: Scope, depth: int) -> tuple[Node, Scope]:
        """The set that an expression is at last: the body of a function or a `let`, the content of a file."""
        node = unwrap(node)
        while node.type in ("function_expression", "let_expression", "with_expression", "apply_expression"):
            depth += 1
            self._budget.step(depth)
            if node.type == "apply_expression":
                entry = self._open_import(node, scope)
                if entry is None:
                    break
                node, scope = unwrap(entry.node), entry.scope
                continue
            if node.type == "function_expression":
                scope = function_scope(node, scope)
            elif node.type == "let_expression":
                scope = self.set_scope(node, scope)
            node = unwrap(child(node, "body"))
        return node, scope

    def set_scope(self, node: Node, scope: Scope) -> Scope:
        """The scope within a set: its own names count if it is recursive."""
        if node.type == "attrset_expression":
            return scope
        inner = Scope(scope.source, scope)
        self._bind(node, inner, scope, inner.names)
        return inner

    def bound_in(self, node: Node, scope: Scope) -> dict[str, list[Entry]]:
        """The names that the bindings of a set bind; `scope` is that of their values."""
        if node.type != "attrset_expression":
            return scope.names
        found: dict[str, list[Entry]] = {}
        self._bind(node, scope, scope, found)
        return found

    def _bind(self, node: Node, scope: Scope, outer: Scope, found: dict[str, list[Entry]]) -> None:
        """Fill `found` with what a set or a `let` binds; what is inherited is last, as it may refer to the rest."""
        inherited = []
        for binding in bindings(node):
            self._budget.step()
            if binding.type == "binding":
                first, *rest = self.names(child(binding, "attrpath"), outer) or (COMPUTED,)
                found.setdefault(first, []).append(Entry(tuple(rest), child(binding, "expression"), scope))
            else:
                inherited.append(binding)
        for binding in inherited:
            self._bind_inherited(binding, scope, outer, found)

    def _bind_inherited(self, binding: Node, scope: Scope, outer: Scope, found: dict[str, list[Entry]]) -> None:
        source = binding.child_by_field_name("expression")
        attrs = binding.child_by_field_name("attrs")
        for attr in attrs.named_children if attrs is not None else ():
            name = self.name(attr, outer)
            entries = outer.find(name) if source is None else self.select(self._set_entries(source, scope, 1), name, 1)
            if entries:
                found.setdefault(name, []).extend(entries)

    # Values

    def read(self, node: Node, scope: Scope) -> Value:
        """The value of an expression; where its parts stand is then in `places`."""
        self.places = []
        value = self._read(node, scope, 0)
        if len(value.text) <= MAX_VALUE:
            return value
        digest = hashlib.sha256(to_bytes(value.text)).hexdigest()[:16]
        return Value(f"{value.text[:MAX_VALUE]}… ({digest})", value.known, value.plain)

    def _read(self, node: Node, scope: Scope, depth: int) -> Value:
        self._budget.step(depth)
        node = unwrap(node)
        self.places.append(spot(node, scope))
        match node.type:
            case "string_expression" | "indented_string_expression":
                return self._read_string(node, scope, depth)
            case "path_expression":
                return self._read_path(node, scope, depth)
            case "variable_expression":
                return self._read_variable(node, scope, depth)
            case "select_expression":
                return self._read_entries(self.look_up(node, scope), depth) or self._read_attribute(node, scope, depth)
            case "binary_expression":
                return self._read_sum(node, scope, depth) or self._read_other(node, scope, depth)
            case kind if kind in _LITERALS:
                return Value(scope.source.text(node), True)
        return self._read_other(node, scope, depth)

    def _read_string(self, node: Node, scope: Scope, depth: int) -> Value:
        text, known = "", True
        for part in node.named_children:
            if part.type == "interpolation":
                value = self._read(child(part, "expression"), scope, depth + 1)
                known = known and value.known
                text += value.plain if value.known and value.plain is not None else f"${{{value.text}}}"
            elif part.type == "escape_sequence":
                raw = scope.source.text(part)
                text += _ESCAPES.get(raw, raw.lstrip("'\\") or raw)
            elif part.type != "dollar_escape":
                text += scope.source.text(part)
        if node.type == "indented_string_expression":
            text = _BLANKS.sub("\n", text).strip()
        return Value(json.dumps(text, ensure_ascii=False), known, text)

    def _read_path(self, node: Node, scope: Scope, depth: int) -> Value:
        text, known = "", True
        for part in node.named_children:
            if part.type == "interpolation":
                value = self._read(child(part, "expression"), scope, depth + 1)
                known = known and value.known
                text += value.plain if value.known and value.plain is not None else f"${{{value.text}}}"
            else:
                text += scope.source.text(part)
        digest = self._digest(scope.source.path, text) if known else ""
        return Value(f"{text} {digest}".rstrip(), known, text)

    def _read_variable(self, node: Node, scope: Scope, depth: int) -> Value:
        name = scope.source.text(node)
        if (value := self._read_entries(scope.find(name), depth)) is not None:
            return value
        if name in _CONSTANTS:
            return Value(name, True)
        if not scope.is_bound(name) and name != "builtins" and (within := scope.innermost_with()) is not None:
            return Value(f"{self._read(*within, depth + 1).text}.{name}", False)
        return Value(name, False)

    def _read_entries(self, entries: list[Entry] | None, depth: int) -> Value | None:
        """The value that a name is bound to; None if it is not known, or given in parts."""
        if not entries or len(entries) > 1 or entries[0].rest or depth > _MAX_NESTED:
            return None
        return self._read(entries[0].node, entries[0].scope, depth + 1)

    def _read_sum(self, node: Node, scope: Scope, depth: int) -> Value | None:
        """The sum of two strings or paths; None for any other operation."""
        operator = node.child_by_field_name("operator")
        if operator is None or scope.source.text(operator) != "+":
            return None
        left, right = (self._read(child(node, side), scope, depth + 1) for side in ("left", "right"))
        if left.plain is None or right.plain is None:
            return None
        text, known = left.plain + right.plain, left.known and right.known
        if left.text.startswith('"'):
            return Value(json.dumps(text, ensure_ascii=False), known, text)
        return Value(f"{text} {self._digest(scope.source.path, text) if known else ''}".rstrip(), known, text)

    def _read_attribute(self, node: Node, scope: Scope, depth: int) -> Value:
        names = self.names(child(node, "attrpath"), scope)
        text = ".".join((self._read(child(node, "expression"), scope, depth + 1).text, *names))
        default = node.child_by_field_name("default")
        return Value(f"{text} or {self._read(default, scope, depth + 1).text}" if default else text, False)

    def _read_other(self, node: Node, scope: Scope, depth: int) -> Value:
        """Anything else: its tokens, with the values of what it contains in place of variables."""
        parts: list[str] = []
        for part in node.children:
            if part.type == "comment":
                continue
            if not part.children:
                parts.append(scope.source.text(part))
            elif part.type in _READ:
                parts.append(self._read(part, scope, depth + 1).text)
            else:
                self._budget.step(depth)
                parts.append(self._read_other(part, scope, depth + 1).text)
        return Value(" ".join(parts) if parts else scope.source.text(node), False)

    def function_name(self, node: Node, scope: Scope, depth: int = 0) -> str:
        """The last name of the function that is called: "mkForce" of `lib.mkForce`, also if a `let` renames it."""
        node = unwrap(node)
        if node.type == "select_expression":
            names = self.names(child(node, "attrpath"), scope)
            return names[-1] if names else ""
        if node.type != "variable_expression":
            return ""
        entries = scope.find(scope.source.text(node))
        if entries and len(entries) == 1 and not entries[0].rest and depth < _MAX_NESTED:
            inner = unwrap(entries[0].node)
            if inner.type in ("select_expression", "variable_expression"):
                return self.function_name(inner, entries[0].scope, depth + 1)
        return scope.source.text(node)
