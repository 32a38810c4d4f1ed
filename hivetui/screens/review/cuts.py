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
    message, description = review.message.strip(), review.proposal.description.strip()
    if review.proposal.commit is None:
        return [Cut("the description", message)]
    if _is_part(description, message):
        return [Cut("the commit message", message)]
    subject, _, rest = message.partition("\n")
    if subject and _is_part(subject, first := description.partition("\n")[0]):
        description = description.removeprefix(first).strip()
    if _is_part(rest, description):
        rest = ""
    parts = (("subject of the commit", subject), ("description", description), ("rest of the commit message", rest))
    return [Cut(f"the {name}", text) for name, text in parts if text]


def _is_part(text: str, other: str) -> bool:
    """Whether the lines of a text, which may be none, are lines of another one after another; blank ones are none."""
    joined, all_joined = ("".join(f"{line.strip()}\n" for line in lines_of(one)) for one in (text, other))
    return f"\n{all_joined}".find(f"\n{joined}") >= 0


def lines_of(text: str) -> list[str]:
    """The lines that are not blank."""
    return [line for line in text.split("\n") if line.strip()]


class HeadTexts:
    """The messages above the diff of one review and their lines, split once: they may have megabytes."""

    def __init__(self, review: Review) -> None:
        self.review = review
        self.messages = [(cut, lines_of(cut.text)) for cut in list_messages(review)]
        self.count = sum(len(lines) for _, lines in self.messages)

    def lines(self, count: int) -> list[str]:
        """The first lines of all messages together."""
        return list(islice((line for _, lines in self.messages for line in lines), count))


class HeadFit(NamedTuple):
    """How much fits into the head: cells of a line, lines of messages, cells of the author; and the `hidden` lines."""

    width: int
    rows: int
    author_cells: int = AUTHOR_CELLS
    hidden: tuple[str, ...] = ()


class HeadReading:
    """Which lines of the texts above the diff do not fit there, and which lines were read where they were whole."""

    def __init__(self) -> None:
        self._texts: HeadTexts | None = None
        self._fit: HeadFit | None = None
        self._cut: list[tuple[Cut, set[str]]] = []  # a text, and its lines that do not fit
        self._read: set[str] = set()

    def texts(self, review: Review) -> HeadTexts:
        """The messages of a review, which are split into lines only if it is another one than before."""
        if self._texts is None or self._texts.review is not review:
            self._texts, self._fit = HeadTexts(review), None
        return self._texts

    def measure(self, review: Review, fit: HeadFit) -> bool:
        """Find what is cut in a head into which this much fits; False if that was done for the same before."""
        texts = self.texts(review)
        if self._fit == fit:
            return False
        self._fit = fit
        self._cut = [(cut, lines) for cut, lines in _find_cut(texts, fit) if lines]
        return True

    def mark_read(self, text: str) -> None:
        """All lines of a text were visible."""
        self._read.update(line.strip() for line in text.split("\n"))

    @property
    def unread(self) -> list[Cut]:
        """The texts that are cut, and of which a line that does not fit was not read."""
        return [cut for cut, lines in self._cut if not lines <= self._read]


def _find_cut(texts: HeadTexts, fit: HeadFit) -> Iterator[tuple[Cut, set[str]]]:
    review, width, left = texts.review, fit.width, fit.rows
    for cut, lines in texts.messages:
        hidden = (one for at, one in enumerate(lines) if at >= left or _is_wide(one, width, MESSAGE_INDENT))
        yield cut, {line.strip() for line in hidden}
        left = max(0, left - len(lines))
    messages = review.tool_messages
    wide = (one for at, one in enumerate(messages) if at >= MAX_TOOL_MESSAGES or _is_wide(one, width, len("▲ ")))
    is_cut = cells(safe(review.author)) > fit.author_cells
    yield Cut("the author", review.author), {review.author.strip()} if is_cut else set()
    yield Cut("what git says", "\n".join(messages)), {line.strip() for one in wide for line in one.split("\n")}
    yield Cut("what else stands above the diff", "\n".join(fit.hidden)), {line.strip() for line in fit.hidden}


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
