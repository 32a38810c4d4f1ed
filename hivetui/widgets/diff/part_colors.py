"""Colours one part of a hunk. Import it in the thread that does so: the parser takes a while to load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from hivetui.engine.model.findings import Side
from hivetui.widgets.diff.coloring import PART_LINES, Colored, Nestings, Part
from hivetui.widgets.diff.nix_nesting import Nesting, guess_nesting, nesting_after
from hivetui.widgets.diff.nix_tokens import Token, tokens_of

PART_BYTES = 128 * 1024
"""Of the lines of one part; each has room for as much as is shown of a long line (`SHOWN_BYTES`)."""
_ABOVE_BYTES = 1024 * 1024
_SIGNS = {"old": b"- ", "new": b"+ "}


def color_part(part: Part) -> Colored:
    """The tokens of a part. Takes some milliseconds, up to a second for text that is made to take long."""
    old, new = list(_nestings(part, "old")), list(_nestings(part, "new"))
    nestings = [Nestings(*both) for both in zip(old, new, strict=True)]
    return Colored(_tokens(part, "old", old[-2]), _tokens(part, "new", new[-2]), nestings)


def _tokens(part: Part, side: Side, nesting: Nesting) -> list[tuple[Token, ...]]:
    """The tokens of all lines of a part that are on a side; () for the others."""
    places = [at for at, line in enumerate(part.lines) if _is_on(line, side)]
    lines = _limited([part.lines[at][1:] for at in places], PART_BYTES)
    found = dict(zip(places, tokens_of(lines, nesting, is_start=part.starts_file), strict=True))
    return [found.get(at, ()) for at in range(len(part.lines))]


def _nestings(part: Part, side: Side) -> Iterator[Nesting]:
    """What is open before each part above, before this one and after it."""
    above = iter(_limited(part.above, _ABOVE_BYTES))
    before: Nesting | None = getattr(part.before, side)
    chunks = [*iter(lambda: list(islice(above, PART_LINES)), []), _limited(part.lines, PART_BYTES)]
    texts = [[line[1:] for line in chunk if _is_on(line, side)] for chunk in chunks]
    nesting = guess_nesting([line for text in texts for line in text]) if before is None else before
    yield nesting
    for text in texts:
        nesting = nesting_after(nesting, b"\n".join(text) + b"\n")
        yield nesting


def _is_on(line: bytes, side: Side) -> bool:
    """Whether a line with its sign is on a side; git may leave out the sign of an empty line."""
    return line[:1] in _SIGNS[side]


def _limited(lines: Sequence[bytes], size: int) -> Sequence[bytes]:
    """The lines; the long ones are cut if they have more bytes than this together."""
    if sum(map(len, lines)) <= size:
        return lines
    share = size // len(lines)
    short = [len(line) for line in lines if len(line) <= share]
    share = (size - sum(short)) // (len(lines) - len(short))
    return [line[:share] for line in lines]
