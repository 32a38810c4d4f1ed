"""A reason that was typed and not recorded is there when the same is asked again."""

from __future__ import annotations

from textual.widgets import Input

from hivetui.app import HiveConsole
from hivetui.engine.api import Hive
from hivetui.screens.reasons import Reasons
from tests.console.conftest import Home, Seat, Seated
from tests.console.test_retry import three_pending
from tests.visual.still_hive import StillHive


def test_a_reason_is_kept_for_each_that_it_is_about_until_it_is_recorded() -> None:
    reasons = Reasons()
    reasons.keep((1, 2), "too much")
    assert [reasons.find((subject,)) for subject in (1, 2, 3)] == ["too much", "too much", ""]
    assert reasons.find((1, 2, 3)) == "too much"
    reasons.keep((2,), "too little")
    assert reasons.find((1, 2)) == ""
    reasons.forget(1)
    assert reasons.find((1, 2)) == "too little"
    reasons.keep((2,), " ")
    assert reasons.find((2,)) == ""


def typed(seat: Seat) -> str:
    return seat.app.screen.query_one(Input).value


async def test_a_reason_half_typed_is_there_again_in_the_list_and_in_the_review(seated: Seated, home: Home) -> None:
    async with seated(size=(80, 24)) as seat:
        first, other, _ = await three_pending(seat, home)
        await seat.press("d")
        await seat.until(f"Deny #{first.id} of {first.agent}: why?")
        await seat.answer(*"tbc", "escape")
        await seat.until(gone=("why?",))
        await seat.press("j", "j", "d")
        await seat.until("why?")
        assert typed(seat) == ""
        await seat.answer("escape")
        await seat.until(gone=("why?",))
        await seat.press("k", "k", "enter")
        await seat.until(f"#{first.id} {first.agent}", "Number 0")
        await seat.press("d")
        await seat.until(f"Deny #{first.id} of {first.agent}: why?", "The reason was typed before.")
        assert typed(seat) == "tbc"
        await seat.answer("enter")
        await seat.until(f"#{other.id} ", gone=("Number 0",))
        decided = {one.id: one for one in await seat.hive.proposals(decided=True)}
        assert decided[first.id].note == "tbc"
        assert decided[other.id].note is None


async def test_the_reason_of_a_roll_back_that_failed_is_there_again() -> None:
    async def opener() -> Hive:
        return StillHive()

    app = HiveConsole(opener)
    async with app.run_test(size=(120, 40)) as pilot:
        seat = Seat(app, pilot)
        await seat.until("1:agents*")
        await seat.press("5")
        await seat.until("✓ deployed")
        await seat.press("j", "j", "j", "j", "R")
        await seat.until("why?")
        await seat.answer(*"no", "enter")
        await seat.until(gone=("why?",))
        await seat.press("R")
        await seat.until("why?", "The reason was typed before.")
        assert typed(seat) == "no"
