"""Nothing that is cut in a review is approved unseen: it locks the approval, by name, until it was read to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.pages import PagesDialog
from hivetui.screens.review.cuts import STILL_MEASURED, HeadFit, HeadReading
from hivetui.screens.review.cuts_dialog import CutsDialog
from hivetui.screens.review.screen import ReviewScreen
from hivetui.widgets.diff.whole_text import WholeText
from tests.console.test_review import MODULE, opened, shown
from tests.console.test_review_files import reviewed
from tests.visual import moment

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

WIDE = 'x = "12";' + " " * 150 + "y = builtins.exec [ ];" + " # padding" * 12
SMALL = (80, 24)


async def refused(seat: Seat, screen: ReviewScreen, words: str) -> None:
    """Approving is refused with these words, and asks nothing."""
    seat.app.clear_notifications()
    await seat.press("a")
    await seat.notified(words)
    assert seat.app.screen is screen


async def asked(seat: Seat) -> None:
    """Approving asks; the answer is no."""
    await seat.press("a")
    await seat.when(lambda: isinstance(seat.app.screen, ConfirmDialog))
    await seat.answer("n")
    await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen))


async def test_a_long_line_locks_the_approval_until_it_was_opened(seated: Seated, home: Home) -> None:
    async with seated(size=SMALL) as seat:
        screen = await reviewed(seat, home, {"m/wide.txt": f"{WIDE}\n{WIDE}\nshort\n"})
        await seat.until("2 cut, z: read")
        await refused(seat, screen, "Cut and not read to the end: m/wide.txt:1, and 1 more text. Press z")
        await seat.press("z")
        await seat.until("m/wide.txt:1, ", "1 of 2 not read", "‹150 spaces›y = builtins.exec [ ];", "# padding", "end")
        await seat.answer("escape")
        await refused(seat, screen, "Cut and not read to the end: m/wide.txt:2. Press z")
        await seat.press("z")
        await seat.until("m/wide.txt:2, ", "1 of 1 not read", "end")
        await seat.press("z")  # the last one: it closes
        await seat.when(lambda: seat.app.screen is screen)
        assert screen.diff.index.raw(screen.diff.line).startswith(b"+x = ")
        await asked(seat)
        await seat.press("z")
        await seat.notified("Everything that is cut has been read.")


async def test_a_review_is_searched_while_something_cut_is_unread(seated: Seated, home: Home) -> None:
    async with seated(size=SMALL) as seat:
        await reviewed(seat, home, {"m/wide.txt": f"{WIDE}\nshort\n"})
        await seat.until("a approve (z first)")
        await seat.press("/")
        await seat.until("search (regex)")
        await seat.when(lambda: "approve" not in seat.text)  # its key is text there
        await seat.answer("s", "h", "o", "r", "t", "enter")
        await seat.until("a approve (z first)", "search /short/ 1 of 1")


@pytest.mark.slow
async def test_a_line_of_hundreds_of_kilobytes_is_scrolled_to_its_end(seated: Seated, home: Home) -> None:
    async with seated(size=SMALL) as seat:
        screen = await reviewed(seat, home, {"huge.txt": "y" * 400_000 + "THE-END\n"})
        await seat.press("g", "}", "w", "G")
        await refused(seat, screen, "Cut and not read to the end: huge.txt:1. Press z")
        await seat.press("z")
        await seat.until("huge.txt:1, 391K: 1 of 1 not read", "0 %, more below")
        await seat.press("z", "z")
        await seat.answer("escape")
        await refused(seat, screen, "huge.txt:1")
        await seat.press("z", "G")
        await seat.until("THE-END", "end")
        await seat.press("q")
        await asked(seat)


@pytest.mark.slow
async def test_lines_that_were_scrolled_or_wrapped_need_not_be_opened_and_stay_read(seated: Seated, home: Home) -> None:
    async with seated(size=SMALL) as seat:
        screen = await reviewed(seat, home, {"wide.txt": f"{WIDE}\nshort\n"})
        await seat.press("g", "}", "w")
        await seat.until("‹150 spaces›y = builtins.exec", "wrap")
        await seat.press("w", "+")
        await seat.when(lambda: not screen.contents.is_loading)
        await asked(seat)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["z", "m"])
async def test_a_long_message_locks_the_approval_until_its_end_was_visible(
    seated: Seated, home: Home, key: str
) -> None:
    async with seated(size=(120, 24)) as seat:
        message = "Title\n\n" + "\n".join(f"line {number}" for number in range(60))
        screen = await opened(seat, home, home.agents[0], MODULE.format(key), message)
        await refused(seat, screen, "Cut and not read to the end: the commit message. Press z")
        await seat.press(key)
        dialog = CutsDialog if key == "z" else PagesDialog
        await seat.when(lambda: isinstance(seat.app.screen, dialog))
        if key == "m":
            await seat.press("j")
        await seat.until("more below")
        while "line 59" not in seat.text:
            assert screen.contents.head.unread
            await seat.press("space")
        await seat.answer("escape")
        await asked(seat)


@pytest.mark.slow
async def test_a_wide_title_of_a_spawn_request_locks_it_too(seated: Seated, newcomer: str) -> None:
    async with seated(size=SMALL) as seat:
        request = await seat.hive.request_spawn(newcomer, "x" * 200 + " and a dangerous end")
        screen = await shown(seat, request.id)
        await refused(seat, screen, "Cut and not read to the end: the description. Press z")
        await seat.press("z")
        await seat.until("ous end")
        await seat.press("z")
        await asked(seat)
        await seat.hive.withdraw(request.id)


async def test_approving_waits_until_it_is_known_which_lines_are_cut(seated: Seated, home: Home) -> None:
    async with seated(size=SMALL) as seat:
        screen = await reviewed(seat, home, {"m/letters.txt": f"{'ж' * 60}\n" * 1_000})
        await seat.when(lambda: screen.diff.is_measured)
        screen.diff.action_toggle_wrap()  # which lines are cut is another question then
        for action in ("approve", "next_cut"):
            assert screen.unavailable_reason(action) == STILL_MEASURED
        await seat.when(lambda: screen.diff.is_measured)
        await asked(seat)


async def test_what_is_read_is_the_text_whose_end_was_painted_and_not_the_one_that_follows_it(
    seated: Seated, home: Home
) -> None:
    """A key may open the next text before the end of the one before is told."""
    async with seated(size=SMALL) as seat:
        await reviewed(seat, home, {"m/wide.txt": f"{WIDE}\n" + "z" * 40_000 + "\n"})
        await seat.until("2 cut, z: read")
        await seat.press("z")
        await seat.until("m/wide.txt:1, ", "end")
        await seat.press("z")
        await seat.until("m/wide.txt:2, ", "more below")
        dialog = seat.app.screen
        assert isinstance(dialog, CutsDialog)
        dialog.view.post_message(WholeText.EndReached(dialog.view, 0))
        await seat.answer("escape")
        await seat.until("1 cut, z: read")


def test_a_name_of_the_author_that_does_not_fit_is_cut_and_said_to_be() -> None:
    review = moment.review_of(next(one for one in moment.WAITING if one.id == 12))
    head = HeadReading()
    for author, cut in (("ada", False), ("ada " * 20, True)):
        head.measure(review.model_copy(update={"author": author}), HeadFit(120, 40))
        assert ("the author" in [one.place for one in head.unread]) is cut
    head.mark_read("ada " * 20)
    assert "the author" not in [one.place for one in head.unread]
