"""Notes on lines in the console: written at a line, kept, sent with the denial, and marked in what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.proposals import ProposalState
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.screens.review.note_screen import LineNoteDialog
from hivetui.screens.review.screen import ReviewScreen

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

MODULE = """\
{ ... }:
{
  # one
  # two
  # three
}
"""
SIZE = (150, 44)


async def opened(seat: Seat, number: int) -> ReviewScreen:
    seat.navigator.open("review", number=number)
    await seat.when(
        lambda: (
            isinstance(seat.app.screen, ReviewScreen)
            and seat.app.screen.contents.proposal_id == number
            and not seat.app.screen.contents.is_loading
        )
    )
    screen = seat.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


async def submitted(seat: Seat, agent: str, home: Home, module: str) -> int:
    for one in await seat.hive.proposals():
        await seat.hive.withdraw(one.id)
    return (await seat.hive.submit(agent, home.commit(agent, module))).id


async def write(seat: Seat, text: str) -> None:
    """Write a note on the chosen line."""
    await seat.press("c")
    await seat.when(lambda: isinstance(seat.app.screen, LineNoteDialog))
    await seat.answer("ctrl+u", *(("space" if char == " " else char) for char in text), "enter")
    await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen))


async def wait_for_notes(seat: Seat, number: int, *expected: str) -> None:
    kept: list[str] = []
    for _ in range(500):
        kept = [f"{one.lines}: {one.text}" for one in await seat.hive.notes(number)]
        if kept == list(expected):
            return
        await seat.pilot.pause(0.02)
    assert kept == list(expected)


def to_line(review: ReviewScreen, text: str) -> None:
    """Put the cursor at the line of the proposal with a text."""
    index = review.diff.index
    line = next(at for at in range(index.count) if index.kind(at) in "+ " and text.encode() in index.raw(at))
    review.diff.put_cursor(line)


@pytest.mark.slow
async def test_a_denial_teaches_by_notes_on_lines(seated: Seated, home: Home) -> None:
    async with seated(size=SIZE) as seat:
        number = await submitted(seat, home.agents[0], home, MODULE)
        review = await opened(seat, number)
        await seat.press("c")
        await seat.when(lambda: review.diff.cursor is not None)
        to_line(review, "# one")
        await write(seat, "why one")
        await seat.until("✎ why one", "1 note on lines, to be sent with a denial")
        await wait_for_notes(seat, number, "3: why one")
        to_line(review, "# two")
        await seat.press("v", "j")
        await write(seat, "drop")
        await wait_for_notes(seat, number, "3: why one", "4-5: drop")
        to_line(review, "# one")
        await write(seat, "why one at all")
        await seat.until("✎ why one at all")
        await wait_for_notes(seat, number, "3: why one at all", "4-5: drop")
        await seat.press("escape")
        assert review.diff.cursor is None
        assert seat.app.screen is review

        await seat.press("a")
        await seat.until("2 notes on lines are not sent")
        await seat.answer("n")
        await seat.press("d")
        await seat.when(lambda: isinstance(seat.app.screen, NoteDialog))
        await seat.until("✎ agent.nix:3: why one at all", "✎ agent.nix:4-5: drop")
        await seat.answer("N", "o", "enter")
        await seat.when(lambda: seat.app.screen is not review and not isinstance(seat.app.screen, NoteDialog))
        (denied,) = [one for one in await seat.hive.proposals(decided=True) if one.id == number]
        assert (denied.state, denied.note) == (ProposalState.DENIED, "No")
        assert [f"{one.lines}: {one.text}" for one in denied.lines] == ["3: why one at all", "4-5: drop"]

        following = await submitted(seat, home.agents[0], home, MODULE.replace("# two", "# 2"))
        review = await opened(seat, following)
        await seat.until(f"DENIED BEFORE as #{number}", "2 notes on lines: 1 touched, 1 untouched")
        await seat.until(f"✎ #{number} touched: drop", f"✎ #{number} untouched: why one at all")
        await seat.until("COMPARED WITH denied", "press s to change that", "Findings of this comparison: ")
        assert "not against what runs. Press s" in (review.unavailable_reason("approve") or "")
        await seat.press("s")
        await seat.until("# three", f"✎ #{number} untouched: why one at all", gone=("COMPARED WITH",))
        await seat.when(lambda: review.unavailable_reason("approve") is None)
        await seat.press("s")
        await seat.until("COMPARED WITH denied")


@pytest.mark.slow
async def test_a_denied_commit_that_is_proposed_again_is_read_against_what_runs(seated: Seated, home: Home) -> None:
    async with seated(size=SIZE) as seat:
        number = await submitted(seat, home.agents[0], home, MODULE.replace("one", "once more"))
        await seat.hive.deny(number, "Not on a Friday")
        again = await seat.hive.repropose(number)
        review = await opened(seat, again.id)
        denial = f"THIS VERY COMMIT WAS DENIED as #{number} by "
        await seat.until(denial, "UTC: Not on a Friday", "# once more", gone=("COMPARED WITH", "DENIED BEFORE"))
        await seat.when(lambda: review.unavailable_reason("approve") is None)
        for key in ("a", "d"):
            await seat.press(key)
            await seat.when(lambda: seat.app.screen is not review)
            await seat.until(denial)
            await seat.answer("escape")
        await seat.press("escape")
        await seat.press("2")
        await seat.until(f"⊘#{number} ", denial)
        await seat.hive.withdraw(again.id)


@pytest.mark.slow
async def test_notes_are_kept_across_reviews_and_removed_by_an_empty_text(seated: Seated, home: Home) -> None:
    async with seated(size=SIZE) as seat:
        number = await submitted(seat, home.agents[1], home, MODULE.replace("one", "1"))
        await seat.hive.keep_notes(number, ("agent.nix:new:4:Not \x1b[31mred",))
        review = await opened(seat, number)
        await seat.until("✎ Not ‹U+001B›[31mred")
        await seat.press("m")
        await seat.until("1 note on lines")
        await seat.answer("escape")
        await seat.press("c")
        to_line(review, "# two")
        await write(seat, "")
        await seat.when(lambda: not review.contents.notes)
        await wait_for_notes(seat, number)
        await seat.until("# two", gone=("✎",))


@pytest.mark.slow
async def test_notes_that_cannot_be_read_are_told_in_the_review_and_hold_a_denial_back(
    seated: Seated, home: Home
) -> None:
    async with seated(size=SIZE) as seat:
        number = await submitted(seat, home.agents[0], home, MODULE.replace("one", "unread"))
        await seat.hive.keep_notes(number, ("agent.nix:new:4:Why?",))
        (path,) = (home.folder / "var/lib/hyperhive/engine/notes").iterdir()
        path.write_text("{")
        review = await opened(seat, number)
        await seat.until("# unread")
        await seat.notified("Your notes on lines cannot be read")
        await seat.press("d")
        await seat.when(lambda: isinstance(seat.app.screen, NoteDialog))
        await seat.answer("N", "o", "enter")
        await seat.notified(f"Proposal {number} was not denied: your notes on lines cannot be read")
        assert (await seat.hive.review(number)).proposal.state is ProposalState.PENDING
        assert review.contents.notes == ()
        path.unlink()
