"""Source files of the stand-in for nix, and how much of them may be evaluated: they are written by agents."""

from __future__ import annotations

from tree_sitter import Node

from hivetui.embedded.nix.values import NixError, Position, unsupported
from hivetui.engine.nix import syntax

LARGEST_FILE = 1 << 20  # bytes
MOST_STEPS = 200_000  # expressions evaluated in all
DEEPEST = 1000  # expressions that are being evaluated at one time


class Limits:
    """How much was evaluated; every evaluation is counted."""

    def __init__(self) -> None:
        self._steps = self._depth = 0

    def step(self, position: Position | None = None) -> None:
        """Count a step. Raises NixError when there were too many."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise NixError(f"evaluation takes more than {MOST_STEPS} steps in the embedded nix", position)

    def enter(self, file: File, node: Node) -> None:
        """Count an expression that begins; `leave` ends it."""
        if self._depth >= DEEPEST:
            raise NixError("stack overflow (possible infinite recursion)", file.position(node))
        if self._steps >= MOST_STEPS:
            self.step(file.position(node))
        self._steps += 1
        self._depth += 1

    def leave(self) -> None:
        """Count the end of an expression."""
        self._depth -= 1


class File:
    """A source text that is evaluated; `name` is its absolute path, or stands for text that is in no file."""

    def __init__(self, name: str, source: bytes, limits: Limits) -> None:
        self.name, self.source, self.limits = name, source, limits
        self._syntax = self._parse()

    def _parse(self) -> syntax.Syntax:
        try:
            self.source.decode()
        except UnicodeDecodeError as failure:
            raise NixError(f"cannot read '{self.name}': {failure}") from failure
        if len(self.source) > LARGEST_FILE:
            raise NixError(f"cannot read '{self.name}': it is larger than {LARGEST_FILE} bytes")
        if b"\0" in self.source:
            raise NixError(f"cannot read '{self.name}': it has a NUL byte")
        try:
            return syntax.parse(self.source)
        except syntax.ParseTimeout as failure:
            raise NixError(f"cannot read '{self.name}': {failure}") from failure

    def expression(self) -> Node:
        """The expression of the file. Raises NixError for the first syntax error."""
        problem = next(self._syntax.problems(), None)
        if problem is not None:
            expecting = f", expecting '{problem.missing}'" if problem.missing else ""
            position = self._position_at(problem.line, problem.column)
            if self._describe(problem.node) == "'~/'":  # valid before an interpolation, which the grammar lacks
                raise unsupported("a path below the home directory", position)
            raise NixError(f"syntax error, unexpected {self._describe(problem.node)}{expecting}", position)
        expression = self._syntax.root.child_by_field_name("expression")
        if expression is None:
            raise NixError("syntax error, unexpected end of file", Position(self.name, self.source, 1, 1))
        return expression

    def _position_at(self, line: int, column: int) -> Position:
        """A place, of which the end of a file that ends with newlines is the end of its last line, as for nix."""
        lines = self.source.rstrip(b"\n").split(b"\n")
        beyond = line > len(lines)
        return (
            Position(self.name, self.source, len(lines), len(lines[-1]) + 1)
            if beyond
            else Position(self.name, self.source, line, column)
        )

    def _describe(self, node: Node | None) -> str:
        """The first token of a node, or the end of the file."""
        while node is not None and node.child_count:
            node = node.child(0)
        token = self.text(node)[:40] if node is not None else ""
        return f"'{token}'" if token else "end of file"

    def text(self, node: Node) -> str:
        """The source text of a node."""
        return self._syntax.text(node)

    def position(self, node: Node) -> Position:
        """Where a node begins."""
        point = node.start_point
        return Position(self.name, self.source, point.row + 1, point.column + 1)
