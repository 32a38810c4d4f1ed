"""The way on from a failure, and from one proposal to the next: retry, neighbours, and denying several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.effect import EffectState
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.history import HistoryScreen
from hivetui.screens.operation import OperationScreen
from hivetui.screens.operations import OperationsScreen
from hivetui.screens.proposals import ProposalsScreen
from hivetui.screens.review.screen import ReviewScreen

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

pytestmark = pytest.mark.slow

BROKEN = "{ pkgs, ... }: { environment.systemPackages = [ pkgs.nothing ]; }\n"


async def withdraw_all(seat: Seat) -> None:
    for one in await seat.hive.proposals():
        await seat.hive.withdraw(one.id)


async def submitted(seat: Seat, home: Home, agent: str, title: str, module: str = "{ ... }: { }\n") -> Proposal:
    return await seat.hive.submit(agent, home.commit(agent, module, title), title)


async def failed(seat: Seat, home: Home) -> tuple[Proposal, int]:
    """A proposal whose deploy has failed, and its operation."""
    await withdraw_all(seat)
    proposal = await submitted(seat, home, home.agents[0], "Say hello", BROKEN)
    operation = await seat.hive.approve(proposal.id, proposal.commit, proposal.base)
    async for _ in seat.hive.follow(operation.id):
        pass
    assert (await seat.hive.operation(operation.id)).state is OperationState.FAILED
    return proposal, operation.id


async def reviewed(seat: Seat, number: int | None = None) -> ReviewScreen:
    """The review in front, of that proposal, as soon as it is loaded."""

    def is_loaded() -> bool:
        screen = seat.app.screen
        if not isinstance(screen, ReviewScreen) or screen.contents.is_loading:
            return False
        return number is None or screen.contents.proposal_id == number

    await seat.when(is_loaded)
    screen = seat.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


async def test_a_failed_deploy_is_proposed_again_from_operation_history_list_and_review(
    seated: Seated, home: Home
) -> None:
    async with seated() as seat:
        proposal, operation = await failed(seat, home)
        seat.navigator.open("operation", number=operation)
        await seat.until("r: propose it again", "r retry")
        await seat.press("r")
        again = await retried(seat, proposal)

        await seat.press("5")
        await seat.until("✗ failed")
        screen = seat.app.screen
        assert isinstance(screen, HistoryScreen)
        screen.table.go_to_key(f"{proposal.agent} {proposal.id}")
        await seat.press("r")
        assert await retried(seat, proposal) > again

        await seat.press("2", "f")
        await seat.when(lambda: isinstance(seat.app.screen, ProposalsScreen) and len(seat.app.screen.table.shown) > 1)
        listing = seat.app.screen
        assert isinstance(listing, ProposalsScreen)
        listing.table.go_to_key(str(proposal.id))
        await seat.press("r")
        await retried(seat, proposal)

        seat.navigator.open("review", number=proposal.id)
        await reviewed(seat, proposal.id)
        await seat.press("r")
        await retried(seat, proposal)


async def test_a_cancelled_deploy_is_proposed_again_from_its_operation(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await withdraw_all(seat)
        proposal = await submitted(seat, home, home.agents[0], "Take long", "{ ... }: { lab.buildSeconds = 300; }\n")
        operation = await seat.hive.approve(proposal.id, proposal.commit, proposal.base)
        seat.navigator.open("operation", number=operation.id)
        await seat.until("building the system")
        await seat.press("X")
        await seat.when(lambda: isinstance(seat.app.screen, ConfirmDialog))
        await seat.answer("y")
        await seat.until("cancelled", "r: propose it again")
        assert (await seat.hive.operation(operation.id)).state is OperationState.CANCELLED
        await seat.press("r")
        await retried(seat, proposal)


async def retried(seat: Seat, proposal: Proposal) -> int:
    """The number of the new proposal, whose review is open; it is withdrawn."""
    await seat.until(f"again, after #{proposal.id}")
    screen = await reviewed(seat)
    assert screen.contents.review is not None
    new = screen.contents.review.proposal
    assert (new.commit, new.retry_of, new.state) == (proposal.commit, proposal.id, ProposalState.PENDING)
    await seat.hive.withdraw(new.id)
    await seat.when(lambda: new.id not in {one.id for one in seat.session.state.proposals})
    return new.id


async def test_what_has_not_ended_or_needs_no_retry_says_so(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await withdraw_all(seat)
        pending = await submitted(seat, home, home.agents[0], "Wait")
        seat.navigator.open("review", number=pending.id)
        await reviewed(seat, pending.id)
        await seat.press("r")
        await seat.notified("only what has ended is proposed again")
        spawned = next(one for one in await seat.hive.operations(ended=True) if one.kind is OperationKind.SPAWN)
        seat.navigator.open("operation", number=spawned.id)
        await seat.when(lambda: isinstance(seat.app.screen, OperationScreen))
        await seat.until("took")
        await seat.press("r")
        await seat.notified("there is nothing to retry")
        assert len(await seat.hive.proposals()) == 1


async def test_keys_lead_from_a_review_to_the_next_and_back_and_esc_to_the_list(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await withdraw_all(seat)
        one, two = [await submitted(seat, home, name, f"For {name}") for name in home.agents]
        await seat.press("2")
        await seat.until(f"For {home.agents[1]}")
        await seat.press("enter")
        await reviewed(seat, one.id)
        await seat.press("greater_than_sign")
        await reviewed(seat, two.id)
        await seat.press("greater_than_sign")
        await seat.notified("There is no next proposal that is pending.")
        await seat.press("less_than_sign")
        await reviewed(seat, one.id)
        await seat.press("escape")
        await seat.when(lambda: isinstance(seat.app.screen, ProposalsScreen))


async def three_pending(seat: Seat, home: Home) -> list[Proposal]:
    """The list shows three pending proposals, Number 0 to 2."""
    await withdraw_all(seat)
    made = [await submitted(seat, home, home.agents[number % 2], f"Number {number}") for number in range(3)]
    await seat.press("2")
    await seat.until("Number 2")
    return made


async def test_marked_proposals_are_named_and_denied_with_one_note(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        first, other, last = await three_pending(seat, home)
        await seat.press("space", "j", "space")
        await seat.until(f"2 marked: #{first.id}, #{last.id}")
        await seat.press("d")
        await seat.until(
            "Deny 2 marked proposals: why?",
            f"#{first.id} of {first.agent}: Number 0",
            f"#{last.id} of {last.agent}: Number 2",
        )
        await seat.answer(*"no", "enter")
        await seat.notified(f"#{first.id}, #{last.id} denied")
        assert [one.id for one in await seat.hive.proposals()] == [other.id]
        decided = {one.id: one for one in await seat.hive.proposals(decided=True)}
        assert {decided[one.id].note for one in (first, last)} == {"no"}


async def test_marked_proposals_are_named_and_withdrawn_with_one_answer(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        first, other, last = await three_pending(seat, home)
        await seat.press("space", "j", "space", "X")
        await seat.until(
            "Withdraw 2 marked proposals?",
            f"#{first.id} of {first.agent}: Number 0",
            f"#{last.id} of {last.agent}: Number 2",
        )
        await seat.answer("enter")
        await seat.until(gone=("Withdraw 2 marked proposals?",))
        assert len(await seat.hive.proposals()) == 3
        await seat.press("X")
        await seat.until("Withdraw 2 marked proposals?")
        await seat.answer("y")
        await seat.notified(f"#{first.id}, #{last.id} withdrawn")
        assert [one.id for one in await seat.hive.proposals()] == [other.id]


async def test_of_a_proposal_that_is_tried_again_findings_and_effect_are_shown(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await withdraw_all(seat)
        module = '{ ... }: {\n  networking.firewall.allowedTCPPorts = [ 80 ];\n  lab.fail = "no disk";\n}\n'
        proposal = await submitted(seat, home, home.agents[0], "Open a port", module)
        operation = await seat.hive.approve(proposal.id, proposal.commit, proposal.base)
        async for _ in seat.hive.follow(operation.id):
            pass
        seat.navigator.open("operation", number=operation.id)
        await seat.until("r: propose it again", "r retry")
        await seat.press("r")
        await seat.until(f"again, after #{proposal.id}", "1 high")
        screen = await reviewed(seat)
        assert screen.contents.proposal_id != proposal.id
        await seat.press("E", "p")
        await seat.when(lambda: screen.contents.effect.state is EffectState.FAILED)
        await seat.until("effect: it fails", "failed in:  build", "no disk")


async def failed_rebuild(seat: Seat, home: Home) -> Operation:
    """A rebuild of the first agent that failed, since the base flake could not be read; it can be read again now."""
    base = home.folder / "var/lib/embedded/base"
    absent = base.rename(base.with_name("base.absent"))
    operation = await seat.hive.begin(OperationKind.REBUILD, home.agents[0])
    async for _ in seat.hive.follow(operation.id):
        pass
    absent.rename(base)
    ended = await seat.hive.operation(operation.id)
    assert ended.state is OperationState.FAILED
    return ended


async def newest_operation(seat: Seat) -> Operation:
    return max(await seat.hive.operations(ended=True), key=lambda one: one.id)


async def test_a_failed_rebuild_is_done_again_from_its_screen_after_the_question(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        before = await failed_rebuild(seat, home)
        seat.navigator.open("operation", number=before.id)
        await seat.until("r: rebuild it again", "r retry")
        await seat.press("r")
        await seat.until(f"Rebuild {before.agent} again?", "The deployed configuration is built again")
        assert (await newest_operation(seat)).id == before.id
        await seat.answer("y")
        await seat.until("succeeded")
        newest = await newest_operation(seat)
        assert (newest.kind, newest.agent, newest.state) == (before.kind, before.agent, OperationState.SUCCEEDED)


async def test_a_failed_rebuild_is_done_again_from_the_list_and_enter_is_no(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        before = await failed_rebuild(seat, home)
        await seat.press("3")
        await seat.when(lambda: isinstance(seat.app.screen, OperationsScreen) and bool(seat.app.screen.table.shown))
        screen = seat.app.screen
        assert isinstance(screen, OperationsScreen)
        await seat.when(lambda: str(before.id) in screen.table.shown)
        screen.table.go_to_key(str(before.id))
        await seat.until("r retry")
        await seat.press("r")
        await seat.when(lambda: isinstance(seat.app.screen, ConfirmDialog))
        await seat.answer("enter")
        await seat.when(lambda: seat.app.screen is screen)
        assert (await newest_operation(seat)).id == before.id


async def test_of_marked_proposals_none_is_proposed_again_and_one_alone_is_the_marked_one(
    seated: Seated, home: Home
) -> None:
    async with seated() as seat:
        await withdraw_all(seat)
        numbers = [(await submitted(seat, home, home.agents[0], f"Change {word}")).id for word in ("one", "two")]
        await withdraw_all(seat)
        await seat.press("2", "f", "f", "f", "f", "f")
        await seat.until("withdrawn, all agents", "Change one", "Change two")
        screen = seat.app.screen
        assert isinstance(screen, ProposalsScreen)
        screen.table.mark([str(one) for one in numbers])
        await seat.press("r")
        await seat.notified("2 are marked; only one at a time is proposed again. esc unmarks them.")
        screen.table.mark([str(numbers[0])])
        screen.table.go_to_key(str(numbers[1]))
        await seat.press("r")
        review = await reviewed(seat)
        assert review.contents.review is not None
        assert review.contents.review.proposal.title == "Change one"


async def test_a_proposal_of_a_destroyed_agent_is_blocked_before_any_question(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await withdraw_all(seat)
        proposal = await submitted(seat, home, home.agents[1], "Too late")
        operation = await seat.hive.begin(OperationKind.DESTROY, proposal.agent)
        async for _ in seat.hive.follow(operation.id):
            pass
        await seat.when(lambda: {one.state for one in seat.session.state.agents} > {AgentState.KEPT})
        await seat.press("2")
        await seat.until("? blocked", "cannot be approved")
        await seat.press("enter")
        screen = await reviewed(seat, proposal.id)
        await seat.until("CANNOT BE APPROVED NOW")
        await seat.press("a")
        await seat.notified("has no container; spawn it again first")
        assert seat.app.screen is screen
