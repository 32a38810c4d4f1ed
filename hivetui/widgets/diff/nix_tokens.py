"""The tokens of a part of a Nix file, by tree-sitter. Is imported in the thread that parses: loading takes a while.

A difference shows parts of files, so what is parsed here rarely is a whole expression. It does not have to be: the tree
of a part has errors, but its leaves are the tokens all the same, and only the leaves are looked at.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import tree_sitter
import tree_sitter_nix

from hivetui.widgets.diff.nix_nesting import Nesting, closing, nesting_after

PARSE_SECONDS = 0.25
"""Of the processor, for one part; on a busy machine more time may pass."""
_PIECE_BYTES = 8 * 1024
_LANGUAGE = tree_sitter.Language(tree_sitter_nix.language())
_LONG_WORD = re.compile(rb"(\S{500,509}?)[A-Za-z0-9]")
_KEYWORDS = frozenset(b"let in with rec inherit if then else assert or import".split())
_CONSTANTS = frozenset(b"true false null builtins throw abort".split())
_KINDS = {
    "comment": "comment",
    "string_fragment": "string",
    "escape_sequence": "string",
    "dollar_escape": "string",
    '"': "string",
    "''": "string",
    "path_fragment": "path",
    "spath_expression": "path",
    "uri_expression": "path",
    "integer_expression": "constant",
    "float_expression": "constant",
}


class Token(NamedTuple):
    """A token to colour: its bytes in a line, and its kind (comment, string, keyword, constant, name, path)."""

    start: int
    end: int
    kind: str


def tokens_of(lines: Sequence[bytes], nesting: Nesting, *, is_start: bool = False) -> list[tuple[Token, ...]]:
    """The tokens of each line of a part; `nesting` is what is open before it, `is_start` that the file begins with it.

    They are in order and do not overlap. What takes longer than PARSE_SECONDS in all has none.
    """
    text, deadline = b"\n".join(lines), time.thread_time() + PARSE_SECONDS
    found: list[Token] = []
    for start, end in _pieces(text):
        piece = text[start:end]
        after = nesting_after(nesting, piece)
        around = (b"", closing(after)) if is_start and not start else (_opening(nesting), b"\n" + closing(after) + b"}")
        spans = _spans(piece, _leaves(piece, *around, deadline))
        found += [Token(start + low, start + high, kind) for low, high, kind in spans]
        nesting = after
    return _by_line(lines, found)


def _pieces(text: bytes) -> Iterator[tuple[int, int]]:
    """Where to cut a text, most of which are one piece: at ends of lines, else at blanks.

    The parser gives no other thread a turn while it puts a tree together, which takes long for some texts.
    """
    start = 0
    while start < len(text):
        end = min(start + _PIECE_BYTES, len(text))
        if end < len(text):
            end = max(text.rfind(b"\n", start, end), text.rfind(b" ", start + _PIECE_BYTES // 2, end), start) + 1
            end = end if end > start + 1 else start + _PIECE_BYTES
        yield start, end
        start = end


def _opening(nesting: Nesting) -> bytes:
    """What to parse before a part, so that the parser is where the part begins: most parts are of attribute sets."""
    return b"{x=" + b"".join(nesting) + b"\n" if nesting else b"{ "


def _leaves(text: bytes, before: bytes, after: bytes, deadline: float) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of the leaves of the tree of a text that stands between two others."""
    tree = _parse(before + _LONG_WORD.sub(rb"\1 ", text) + after, deadline)
    for node in () if tree is None else _leaf_nodes(tree):
        start, end = max(0, node.start_byte - len(before)), min(len(text), node.end_byte - len(before))
        if start < end:
            yield start, end, node.type


def _parse(source: bytes, deadline: float) -> tree_sitter.Tree | None:
    """The tree of a text; None if that takes too long.

    The lexer needs quadratic time for a long word, so a blank stands for a letter of such a word from time to time.
    Read by a function, since py-tree-sitter calls the progress callback for such sources only.
    """
    view = memoryview(source)
    try:
        return tree_sitter.Parser(_LANGUAGE).parse(
            lambda at, _point: view[at:], progress_callback=lambda _at, _error: time.thread_time() > deadline
        )
    except ValueError:  # parsing was ended
        return None


def _leaf_nodes(tree: tree_sitter.Tree) -> Iterator[tree_sitter.Node]:
    """The leaves in the order of the text.

    By one cursor and without recursion: a text may nest without limit, and py-tree-sitter 0.26 was seen to end the
    process (SIGSEGV) where cursors were copied.
    """
    cursor = tree.walk()
    while True:
        if cursor.goto_first_child():
            continue
        if cursor.node is not None:
            yield cursor.node
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _spans(text: bytes, leaves: Iterable[tuple[int, int, str]]) -> list[Token]:
    """The leaves to colour, as bytes of the whole text. The names that are defined are those before an equals sign."""
    found: list[Token] = []
    path: list[int] = []  # where in `found` the attribute path stands that was read last
    before = ""
    for start, end, type_ in leaves:
        kind = _KINDS.get(type_) or _kind_of_word(text[start:end])
        if type_ == "=":
            for place in path:
                found[place] = found[place]._replace(kind="name")
        if type_ in ("identifier", "."):
            if "." not in (before, type_):
                path.clear()
            path.append(len(found))
        elif kind != "string":
            path.clear()
        if kind or type_ in ("identifier", "."):
            found.append(Token(start, end, kind))
        before = type_
    return [token for token in found if token.kind]


def _kind_of_word(word: bytes) -> str:
    return "keyword" if word in _KEYWORDS else "constant" if word in _CONSTANTS else ""


def _by_line(lines: Sequence[bytes], tokens: Iterable[Token]) -> list[tuple[Token, ...]]:
    """The tokens of each line, as bytes of that line; neighbours of one kind are one token."""
    ends = list(accumulate(len(line) + 1 for line in lines))
    found: list[list[Token]] = [[] for _ in lines]
    for start, end, kind in tokens:
        for number in range(bisect_right(ends, start), len(lines)):
            begin = ends[number] - len(lines[number]) - 1
            if begin >= end:
                break
            low, high = max(0, start - begin), min(len(lines[number]), end - begin)
            if low < high:
                _append(found[number], Token(low, high, kind))
    return [tuple(line) for line in found]


def _append(tokens: list[Token], token: Token) -> None:
    if tokens and tokens[-1].end == token.start and tokens[-1].kind == token.kind:
        token = tokens.pop()._replace(end=token.end)
    tokens.append(token)
