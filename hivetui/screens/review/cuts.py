"""The texts of a review that are cut on the screen and have not been read: nothing cut is approved unseen.

A text above the diff is cut when its lines are too many or too long for the head; a line of the diff, or the path of a
file, when it does not fit into the view. It is read once its end has been visible, in the view or opened whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from hivetui.console.keymap import current_key
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import cells, safe
from hivetui.widgets import wording
from hivetui.widgets.diff.diff_view import DiffView

MAX_TOOL_MESSAGES = 3
"""How many messages of git the head shows."""
MESSAGE_INDENT = 2
"""Cells before a line of a message in the head."""
AUTHOR_CELLS = 30
"""Of the author's name in the head."""
STILL_MEASURED = "Which lines of the diff are cut is still being measured. Try again in a moment."
MAX_OPENED = 1000
"""How many texts are opened one after the other; the key opens the next ones after these."""


class Cut(NamedTuple):
    """A text that is cut: where, all of it, and its line in the diff, None for one above. Neither is safe to show."""

    place: str
    text: str
    line: int | None = None


def list_messages(review: Review) -> list[Cut]:
    """The commit's subject, the description, and the rest of the message; nothing twice."""
    message = review.message.strip()
    subject, _, rest = message.partition("\n")
    description = review.proposal.description.strip()
    if review.proposal.commit is None:
        return [Cut("the description", message)]
    if description in ("", message, subject):
        return [Cut("the commit message", message)]
    parts = (("subject of the commit", subject), ("description", description), ("rest of the commit message", rest))
    return [Cut(f"the {name}", text) for name, text in parts]


class HeadReading:
    """Which lines of the texts above the diff do not fit there, and which lines were read where they were whole."""

    def __init__(self) -> None:
        self._measured_for: tuple[Review, int, int] | None = None
        self._cut: list[tuple[Cut, set[str]]] = []  # a text, and its lines that do not fit
        self._read: set[str] = set()

    def measure(self, review: Review, width: int, rows: int) -> None:
        """Find what is cut in a head of `width` cells that has `rows` rows for messages."""
        before = self._measured_for
        if before is not None and before[0] is review and before[1:] == (width, rows):
            return
        self._measured_for = (review, width, rows)
        self._cut = [(cut, lines) for cut, lines in _find_cut(review, width, rows) if lines]

    def mark_read(self, text: str) -> None:
        """All lines of a text were visible."""
        self._read.update(line.strip() for line in text.split("\n"))

    @property
    def unread(self) -> list[Cut]:
        """The texts that are cut, and of which a line that does not fit was not read."""
        return [cut for cut, lines in self._cut if not lines <= self._read]


def _find_cut(review: Review, width: int, rows: int) -> Iterator[tuple[Cut, set[str]]]:
    left = rows
    for cut in list_messages(review):
        lines = [line for line in cut.text.split("\n") if line.strip()]
        hidden = (one for at, one in enumerate(lines) if at >= left or _is_wide(one, width, MESSAGE_INDENT))
        yield cut, {line.strip() for line in hidden}
        left = max(0, left - len(lines))
    messages = review.tool_messages
    wide = (one for at, one in enumerate(messages) if at >= MAX_TOOL_MESSAGES or _is_wide(one, width, len("▲ ")))
    is_cut = cells(safe(review.author)) > AUTHOR_CELLS
    yield Cut("the author", review.author), {review.author.strip()} if is_cut else set()
    yield Cut("what git says", "\n".join(messages)), {line.strip() for one in wide for line in one.split("\n")}


def _is_wide(line: str, width: int, indent: int) -> bool:
    return len(line) > width - indent or cells(safe(line)) > width - indent


def count_unread(head: HeadReading, diff: DiffView) -> int:
    """How many texts are cut and were not read."""
    return len(head.unread) + diff.unread_count


def list_unread(head: HeadReading, diff: DiffView) -> list[Cut]:
    """The texts that are cut and were not read: those above the diff, then its lines from the one at the top on."""
    opened = islice(diff.reading.unread_from(diff.line), MAX_OPENED) if diff.complete else ()
    return [*head.unread, *(Cut(diff.describe_place(line), diff.whole_text(line), line) for line in opened)]


def reading_obstacle(head: HeadReading, diff: DiffView) -> str | None:
    """What was not read before an approval, by the first of it, or None."""
    if not diff.is_measured:
        return STILL_MEASURED
    if not (count := count_unread(head, diff)):
        return None
    above = head.unread
    place = above[0].place if above else diff.describe_place(diff.reading.first_unread)
    more = f", and {wording.format_count(count - 1, 'more text')}" if count > 1 else ""
    key = current_key("review.next_cut")
    return f"Cut and not read to the end: {place}{more}. Press {key} to read what is cut."
