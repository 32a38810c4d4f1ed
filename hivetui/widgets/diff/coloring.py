"""Which tokens of Nix each line of a diff has. Knows no Textual.

A hunk is coloured in parts of `PART_LINES` lines, and only what is painted or near; each side for itself: the old one
of context and removed lines, the new one of context and added lines. So the middle of a huge file is coloured as soon
as the start of a small one. `part_colors.color_part` is what takes time, and is called in a thread:

    coloring.start_window()            # when the window is painted anew; then for each line
    coloring.tokens(line, "new")       # () until its part is known
    while (part := coloring.next_part()) is not None:
        is_changed = coloring.take(part, await asyncio.to_thread(color_part, part))
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from hivetui.engine.model.findings import Side
from hivetui.widgets.diff.index import DiffIndex

if TYPE_CHECKING:
    from hivetui.widgets.diff.nix_nesting import Nesting
    from hivetui.widgets.diff.nix_tokens import Token

PART_LINES = 64
_ABOVE_PARTS = 64
"""How far back a part is looked at for what is open at its start; farther up it is guessed."""
_KEPT_PARTS = 64
_HEADER = re.compile(rb"[@h]")


class PartKey(NamedTuple):
    """The line of the head of a hunk, and which part of that hunk."""

    hunk: int
    number: int

    @property
    def start(self) -> int:
        """The first line of the part."""
        return self.hunk + 1 + self.number * PART_LINES


class Nestings(NamedTuple):
    """What is open on each side; None if that is not known."""

    old: Nesting | None = None
    new: Nesting | None = None


class Part(NamedTuple):
    """Lines of a hunk with their signs, the lines above them, and what is open on both sides before those."""

    key: PartKey
    above: Sequence[bytes]  # as many whole parts
    lines: Sequence[bytes]
    before: Nestings
    starts_file: bool  # these lines are the first of their file


class Colored(NamedTuple):
    """The tokens of the lines of a part by side; and what is open before each part from the first above to the next."""

    old: Sequence[tuple[Token, ...]]
    new: Sequence[tuple[Token, ...]]
    nestings: Sequence[Nestings]


class DiffColoring:
    """The tokens of the lines that were painted last, and what is to be coloured next."""

    def __init__(self, index: DiffIndex) -> None:
        self._index = index
        self._known: OrderedDict[PartKey, Colored] = OrderedDict()  # what was looked at last is at the end
        self._nestings: dict[PartKey, Nestings] = {}
        self._wanted: dict[PartKey, None] = {}  # is painted without colours
        self._near: dict[PartKey, None] = {}  # may be painted next
        self._last: PartKey | None = None

    def start_window(self) -> None:
        """Begin to paint a window anew: what was wanted for the one before is wanted no more."""
        self._wanted.clear()
        self._last = None

    def tokens(self, line: int, side: Side) -> tuple[Token, ...]:
        """The tokens of a line on a side, as bytes after its sign; none as long as they are not known."""
        key = self._key(line)
        if key is None:
            return ()
        if key != self._last:
            self._look_at(key)
        known, at = self._known.get(key), line - key.start
        if known is None or at >= len(known.old):  # not coloured, or it has arrived since
            self._wanted[key] = None
            return ()
        return known.old[at] if side == "old" else known.new[at]

    def is_known(self, line: int) -> bool:
        """Whether the tokens of a line are known, or it has none."""
        key = self._key(line)
        if key is None:
            return True
        known = self._known.get(key)
        return known is not None and line - key.start < len(known.old)

    def _key(self, line: int) -> PartKey | None:
        """The part that a line is in; None unless it is a line of Nix in a hunk."""
        file, hunk = self._index.file_at(line), self._index.hunk_at(line)
        if file is None or hunk is None or line <= hunk.line or not self._index.files[file].path.endswith(".nix"):
            return None
        return PartKey(hunk.line, (line - hunk.line - 1) // PART_LINES)

    def _lines(self, key: PartKey) -> range:
        """The lines of a part as far as they have arrived."""
        end = min(key.start + PART_LINES, self._index.count)
        header = _HEADER.search(self._index.kinds, key.start, end)
        return range(key.start, end if header is None else header.start())

    def _look_at(self, key: PartKey) -> None:
        self._last = key
        if key in self._known:
            self._known.move_to_end(key)
        lines = self._lines(key)
        below = lines.stop if len(lines) == PART_LINES else (self._index.next_hunk(key.start) or self._index.count) + 1
        near = (self._key(line) for line in (below, lines.start - 1) if line < self._index.count)
        self._near = dict.fromkeys(one for one in near if one is not None)

    # Colouring

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing to colour next."""
        return self._next_key() is None

    def next_part(self) -> Part | None:
        """The part to colour next; None if there is none."""
        key = self._next_key()
        return None if key is None else self._part(key)

    def _next_key(self) -> PartKey | None:
        for key in (*self._wanted, *self._near):
            known = self._known.get(key)
            if known is None or len(known.old) < len(self._lines(key)):
                return key
        return None

    def _part(self, key: PartKey) -> Part:
        hunk = self._index.hunk_at(key.hunk)
        assert hunk is not None
        first = max(0, key.number - _ABOVE_PARTS)
        numbers = range(key.number, first - 1, -1)
        start = next((number for number in numbers if PartKey(key.hunk, number) in self._nestings), first)
        before = self._nestings.get(PartKey(key.hunk, start))
        if before is None:
            starts = [() if start == 0 and number <= 1 else None for number in (hunk.old, hunk.new)]
            before = Nestings(*starts)
        lines = self._lines(key)
        starts_file = key.number == 0 and min(hunk.old, hunk.new) <= 1
        above = range(key.hunk + 1 + start * PART_LINES, lines.start)
        return Part(key, self._raw(above), self._raw(lines), before, starts_file)

    def _raw(self, lines: range) -> list[bytes]:
        blocks = self._index.store.blocks(lines.start, lines.stop) if lines else ()
        return [raw for _, raws, _ in blocks for raw in raws]

    def take(self, part: Part, colored: Colored) -> bool:
        """Take the tokens of a part. True if it is painted without them."""
        hunk, number = part.key
        first = number - len(part.above) // PART_LINES
        if len(part.lines) == PART_LINES:  # else what was guessed may change with the lines that are yet to come
            self._nestings |= {PartKey(hunk, first + at): one for at, one in enumerate(colored.nestings)}
        self._known[part.key] = colored
        self._known.move_to_end(part.key)
        while len(self._known) > _KEPT_PARTS:
            self._known.popitem(last=False)
        return part.key in self._wanted
