"""What the head of a review says of a proposal: the subject of its commit first, and the description beside it."""

from __future__ import annotations

from time import thread_time
from typing import TYPE_CHECKING

import pytest

from hivetui.screens.review.contents import DiffOptions
from hivetui.screens.review.cuts import HeadReading, HeadTexts
from hivetui.screens.review.cuts_dialog import CutsDialog
from hivetui.screens.review.text import Head, HeadLayout, build_head, head_height
from tests.console.test_cuts import asked, refused
from tests.console.test_review import MODULE, opened
from tests.visual import moment

if TYPE_CHECKING:
    from hivetui.engine.model.review import Review
    from tests.console.conftest import Home, Seated


def review_with(message: str, description: str, **others: object) -> Review:
    proposal = moment.SEARCH.model_copy(update={"description": description, "title": message.partition("\n")[0]})
    return moment.review_of(proposal).model_copy(update={"message": message, "reverts": (), **others})


def head_of(review: Review, width: int = 80, height: int = 100) -> Head:
    options = DiffOptions()
    layout = HeadLayout(now=moment.NOW, width=width, rows=9, height=height, viewed=0, options=options)
    return build_head(HeadTexts(review), layout)


def message_of(message: str, description: str) -> list[str]:
    """The lines of the head after those that are about the proposal."""
    head = head_of(review_with(message, description))
    return [line.strip() for line in head.content.plain.splitlines()[2:]]


def unread(review: Review, head: Head) -> list[str]:
    """What of a review is cut in a head, by its place."""
    reading = HeadReading()
    reading.measure(review, head.fit)
    return [cut.place for cut in reading.unread]


@pytest.mark.parametrize(
    ("message", "description", "shown"),
    [
        ("Add jq\n\nIt reads JSON.", "The operator asked.", ["Add jq", "The operator asked.", "It reads JSON."]),
        ("Add jq\n\nIt reads JSON.", "", ["Add jq", "It reads JSON."]),
        ("Add jq", "Add jq", ["Add jq"]),
        ("Add jq\n\nWhy.", "Add jq\n\nWhy.", ["Add jq", "Why."]),
        ("Add jq\n\nIt reads JSON.\n\nIntent: x", "It reads JSON.", ["Add jq", "It reads JSON.", "Intent: x"]),
        ("Add jq\n\nOne.\nTwo.", "One.\r\n\r\nTwo.", ["Add jq", "One.", "Two."]),
        ("Add jq\n\nWhy.", "Add jq\n\nWhy.\n\nAnd how.", ["Add jq", "Why.", "And how."]),
        ("Add jq\n\nWhy.", "Add jq\nto iris", ["Add jq", "to iris", "Why."]),
        ("Add jq\n\nIt reads JSON.", "reads JSON", ["Add jq", "reads JSON", "It reads JSON."]),
        ("", "Opens port 22.\nAnd more.", ["Opens port 22.", "And more."]),
        ("", "Opens port 22.", ["Opens port 22."]),
    ],
)
def test_the_subject_of_the_commit_comes_first_then_the_description_and_nothing_twice(
    message: str, description: str, shown: list[str]
) -> None:
    assert message_of(message, description) == shown


def test_a_huge_message_is_split_into_lines_once() -> None:
    """The head is made anew each second."""
    review = review_with("Title\n\n" + "a line\n" * 300_000, "Because.")
    reading = HeadReading()
    layout = HeadLayout(now=moment.NOW, width=80, rows=9, height=99, viewed=0, options=DiffOptions())
    reading.measure(review, build_head(reading.texts(review), layout).fit)
    start = thread_time()
    for _ in range(200):
        assert not reading.measure(review, build_head(reading.texts(review), layout).fit)
    assert thread_time() - start < 2


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("height", range(12))
def test_what_does_not_fit_into_a_low_terminal_is_cut(width: int, height: int) -> None:
    messages = tuple(f"git: warning {number}" for number in range(2))
    author = "ada of the north"
    review = review_with("Title\n\none\ntwo\nthree\nfour", "", tool_messages=messages, author=author)
    head = head_of(review, width, height)
    lines, cut = head.content.plain.splitlines(), unread(review, head)
    assert len(lines) <= height
    assert "the author" in cut or any(f"by {author}, " in line for line in lines)
    assert "the author" not in cut or width < 80 or height < 3
    assert ("the commit message" in cut) is not any("four" in line for line in lines)
    for message in messages:
        assert any(message in line for line in lines) or any(message in line for line in head.fit.hidden)
    assert ("what else stands above the diff" in cut) is bool(head.fit.hidden)
    if height and ("the commit message" in cut or head.fit.hidden) and width > 20:
        assert "more line" in lines[-1]


@pytest.mark.parametrize(("height", "lines"), [(1, 0), (4, 2), (5, 3), (11, 3), (12, 4), (24, 16)])
def test_the_head_leaves_rows_to_the_diff(height: int, lines: int) -> None:
    assert head_height(height) == lines


@pytest.mark.parametrize("height", [8, 11])
async def test_on_a_low_terminal_the_message_has_to_be_opened(seated: Seated, home: Home, height: int) -> None:
    async with seated(size=(120, height)) as seat:
        message = "Title\n\n" + "\n".join(f"line {number}" for number in range(4))
        screen = await opened(seat, home, home.agents[0], MODULE.format(f"low{height}"), message)
        shown = "\n".join(seat.text.splitlines()[: height - 1])
        assert "line 3" not in shown
        await refused(seat, screen, "Cut and not read to the end: the commit message")
        await seat.press("z")
        await seat.when(lambda: isinstance(seat.app.screen, CutsDialog))
        while screen.contents.head.unread:
            await seat.press("space")
        await seat.answer("escape")
        await asked(seat)


def test_facts_that_do_not_fit_are_cut_once_and_counted_once() -> None:
    review = review_with("Add jq", "", author="Ada Augusta King, Countess of Lovelace <ada@hive.example>")
    facts = head_of(review).content.plain.splitlines()[1]
    assert facts.count("… (+") == 1, facts
    assert "by Ada Augusta King" in facts
