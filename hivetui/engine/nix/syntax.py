"""Syntax trees of Nix source text, by tree-sitter. Standard library and tree-sitter only.

The grammar is tree-sitter-nix (https://github.com/nix-community/tree-sitter-nix); its node types and fields are listed
in its `src/node-types.json`. A tree exists for every text: what does not parse is an ERROR node, and a token that was
expected and is not there is a MISSING node.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import tree_sitter
import tree_sitter_nix
from tree_sitter import Node, Point

PARSE_SECONDS = 2.0
"""The grammar's lexer needs quadratic time for a long word such as `1+1+1+…`: 50 000 of these take three minutes."""

_MOST_REPAIRS = 3
_LAST_COMMA = re.compile(rb",(?:\s|#[^\n]*\n|/\*.*?\*/)*\}", re.DOTALL)

_LANGUAGE = tree_sitter.Language(tree_sitter_nix.language())


class ParseTimeout(Exception):
    """The text takes longer to parse than allowed."""


class Problem(NamedTuple):
    """A place where the text does not follow the grammar.

    `missing` is the token that was expected before `node`, or None when `node` itself is what does not fit. `node` is
    None at the end of the text. `line` and `column` count from 1; columns count bytes, as nix counts them.
    """

    line: int
    column: int
    node: Node | None
    missing: str | None


class Syntax:
    """The tree of one source text."""

    def __init__(self, source: bytes, tree: tree_sitter.Tree) -> None:
        self.source = source
        self._tree = tree

    @property
    def root(self) -> Node:
        """The `source_code` node."""
        return self._tree.root_node

    def text(self, node: Node) -> str:
        """The source text of a node; bytes that are not UTF-8 are lone surrogates (PEP 383)."""
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def problems(self) -> Iterator[Problem]:
        """Every ERROR and MISSING node from the start of the text to its end; nothing inside an ERROR node."""
        for node in _nodes_with_errors(self.root):
            if node.is_missing:
                yield self._problem(_next_token(node), node.type)
            else:
                yield self._problem(None if self._reaches_end(node) else node, None)

    def _reaches_end(self, error: Node) -> bool:
        """Whether an ERROR node holds everything up to the end, so that the end is what is unexpected."""
        return error.start_byte != error.end_byte and not self.source[error.end_byte :].strip()

    def _problem(self, node: Node | None, missing: str | None) -> Problem:
        point = node.start_point if node else self._end_point()
        return Problem(point.row + 1, point.column + 1, node, missing)

    def _end_point(self) -> Point:
        row = self.source.count(b"\n")
        return Point(row, len(self.source) - (self.source.rfind(b"\n") + 1))


def parse(source: bytes, seconds: float = PARSE_SECONDS) -> Syntax:
    """The syntax tree of a text. Raises ParseTimeout when that takes longer than `seconds`.

    The grammar has no comma after the last argument of a function, `{ a, b, }:`, which Nix accepts and formatters
    write. Such commas are blanks to it.
    """
    deadline = time.monotonic() + seconds
    tree = _parse(source, deadline, seconds)
    for _ in range(_MOST_REPAIRS):
        repaired = _without_last_commas(source, tree) if tree.root_node.has_error else None
        if repaired is None:
            break
        tree = _parse(repaired, deadline, seconds)
    return Syntax(source, tree)


def _parse(source: bytes, deadline: float, seconds: float) -> tree_sitter.Tree:
    view = memoryview(source)
    try:
        return tree_sitter.Parser(_LANGUAGE).parse(
            lambda offset, _point: view[offset:],
            progress_callback=lambda _offset, _has_error: time.monotonic() > deadline,
        )
    except ValueError as failure:
        raise ParseTimeout(f"the text takes longer than {seconds:.0f} s to parse") from failure


def _without_last_commas(source: bytes, tree: tree_sitter.Tree) -> bytes | None:
    """The text with blanks for the commas before a closing brace that the tree has errors for; None without any."""
    repaired = bytearray(source)
    for node in _nodes_with_errors(tree.root_node):
        at = source.rfind(b",", 0, node.start_byte + 1)  # the error itself, or what it is missing an argument after
        if at >= 0 and _LAST_COMMA.match(source, at):
            repaired[at] = ord(" ")
    return bytes(repaired) if repaired != source else None


def _nodes_with_errors(root: Node) -> Iterator[Node]:
    """ERROR and MISSING nodes in the order of the text; without recursion, since a text may nest without limit."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            pending.extend(reversed(node.children))


def _next_token(node: Node) -> Node | None:
    """The first token after a node, or None at the end of the text.

    By nodes and not by a copied with which py-tree-sitter 0.26 was seen to end the process (SIGSEGV).
    """
    following: Node | None = node
    while True:
        while following is not None and following.next_sibling is None:
            following = following.parent
        following = following.next_sibling if following is not None else None
        if following is None or following.type != "comment":
            break
    while following is not None and following.children:
        following = following.children[0]
    return following
