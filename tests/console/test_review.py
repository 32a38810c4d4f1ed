"""The review of one proposal, on an embedded hive: what is seen, what is bound, and when approve is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivetui.engine.models import OperationState, ProposalState
from hivetui.screens.dialogs.question import Question
from hivetui.screens.review import ReviewScreen

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

MODULE = '{{ ... }}:\n{{\n  environment.variables.GREETING = "{}";\n}}\n'


async def opened(seat: Seat, home: Home, agent: str, module: str, message: str = "A change") -> ReviewScreen:
    """The review of a new proposal, loaded; what waited of this agent before is withdrawn."""
    for one in await seat.hive.proposals(agent=agent):
        await seat.hive.withdraw(one.id)
    proposal = await seat.hive.submit(agent, home.commit(agent, module, message))
    seat.app._open_place("review", number=proposal.id)
    await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen._loading)
    screen = seat.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


async def test_an_approval_asks_carries_what_was_shown_and_deploys_it(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[0], MODULE.format("approved"), "Say approved")
        await seat.until("Say approved", 'GREETING = "approved"')
        assert screen._review is not None
        number, commit = screen._review.proposal.id, screen._review.proposal.commit
        await seat.press("a")
        await seat.when(lambda: isinstance(seat.app.screen, Question))
        await seat.answer("y")
        await seat.when(lambda: not isinstance(seat.app.screen, Question))
        await seat.when(
            lambda: any(one.proposal == number for one in (seat.app.state.operations if seat.app.state else ()))
        )
        running = next(one for one in await seat.hive.operations(ended=True) if one.proposal == number)
        async for _ in seat.hive.follow(running.id):
            pass
        assert (await seat.hive.operation(running.id)).state is OperationState.SUCCEEDED
        assert (await seat.hive.history(home.agents[0]))[0].commit == commit


async def test_a_difference_that_is_not_whole_is_never_approved(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("torn"))
        screen.diff.finish("the line broke")
        await seat.when(lambda: "the line broke" in (screen.why_not("approve") or ""))
        await seat.press("a")
        assert seat.app.screen is screen


async def test_files_that_the_difference_lacks_keep_it_from_being_approved(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("lacking"))
        screen._missing = ("secret.nix",)
        assert "secret.nix" in (screen.why_not("approve") or "")


async def test_hidden_blanks_are_said_loudly_and_nothing_is_approved_until_they_are_shown(
    seated: Seated, home: Home
) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("blank"))
        await seat.press("w")
        await seat.until("CHANGES OF BLANKS ARE HIDDEN")
        await seat.when(lambda: not screen._loading)
        await seat.press("a")
        await seat.told("Press w to show them")
        await seat.press("w")
        await seat.until(gone=("CHANGES OF BLANKS",))
        await seat.when(lambda: screen.why_not("approve") is None)


async def test_who_decides_meanwhile_is_said_and_the_keys_say_that_it_waits_no_more(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("denied"))
        assert screen._review is not None
        await seat.hive.deny(screen._review.proposal.id, "somebody else was faster")
        await seat.until("It was decided while you read: denied", "somebody else was faster")
        assert screen._review.proposal.state is ProposalState.DENIED
        await seat.press("d")
        await seat.told("it waits no more")


async def test_a_viewed_mark_goes_to_the_next_file_and_a_long_message_is_counted_and_read_whole(
    seated: Seated, home: Home
) -> None:
    async with seated(size=(80, 24)) as seat:
        message = "Title\n\n" + "\n".join(f"line {number}" for number in range(20))
        await opened(seat, home, home.agents[1], MODULE.format("long"), message)
        text = await seat.until("more lines: m", "a approve", "d deny", "] next change", "v viewed", "? help")
        assert "line 19" not in text
        await seat.press("v")
        await seat.until("1 viewed", "✓")
        await seat.press("m", "j", "space")
        await seat.until("line 19")


async def test_another_base_is_named_and_not_approved_against(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("base"))
        await seat.press("b")
        await seat.until("Compare with what?", "deployed as #0")
        await seat.answer("G", "j", "j", "j", "j", "enter")
        await seat.until("COMPARED WITH deployed/0")
        await seat.when(lambda: not screen._loading)
        assert "not from what runs" in (screen.why_not("approve") or "")
