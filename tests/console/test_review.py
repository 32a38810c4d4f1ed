"""The review of one proposal, on an embedded hive: what it shows, what a decision is bound to, when approving works."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.names import port_of
from hivetui.engine.model.operations import Operation, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.operation import OperationScreen
from hivetui.screens.review.screen import ReviewScreen

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

MODULE = '{{ ... }}:\n{{\n  environment.variables.GREETING = "{}";\n}}\n'


async def opened(seat: Seat, home: Home, agent: str, module: str, message: str = "A change") -> ReviewScreen:
    """The review of a new proposal, loaded; earlier pending proposals of this agent are withdrawn."""
    for one in await seat.hive.proposals(agent=agent):
        await seat.hive.withdraw(one.id)
    submitted = await seat.hive.submit(agent, home.commit(agent, module, message))
    return await shown(seat, submitted.id)


async def shown(seat: Seat, number: int) -> ReviewScreen:
    """The review of a proposal against what runs, loaded."""
    seat.navigator.open("review", number=number)
    await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen.contents.is_loading)
    screen = seat.app.screen
    assert isinstance(screen, ReviewScreen)
    if screen.contents.options.base is not None:  # another test has denied one of this agent
        await seat.press("s")
        await seat.when(lambda: screen.contents.options.base is None and not screen.contents.is_loading)
    return screen


@pytest.mark.slow
async def test_in_the_list_of_commits_a_long_address_pushes_out_no_subject(seated: Seated, home: Home) -> None:
    agent, subject = home.agents[0], "Read the mail of the shared inbox"
    author = f"{'Somebody With Names ' * 2}<{'long.' * 12}address@example.org>"
    async with seated(size=(80, 30)) as seat:
        home.commit(agent, MODULE.format("of the author"))
        proposed = home.folder / f"var/lib/hyperhive/agents/{agent}/config"
        argv = ["git", "commit", "-q", "--allow-empty", f"--author={author}", "-m", subject]
        who = {f"GIT_COMMITTER_{part}": "hm1nd" for part in ("NAME", "EMAIL")}
        await asyncio.to_thread(subprocess.run, argv, cwd=proposed, env=os.environ | who, check=True)
        await opened(seat, home, agent, MODULE.format("of the engine"), "The last one")
        await seat.press("m")
        row = next(line for line in (await seat.until(subject)).splitlines() if subject in line)
        assert row.index(subject) < row.index("Somebody")


def number_of(screen: ReviewScreen) -> int:
    assert screen.contents.review is not None
    return screen.contents.review.proposal.id


async def proposal(seat: Seat, number: int) -> Proposal:
    return next(one for one in await seat.hive.proposals(decided=True) if one.id == number)


async def operation_of(seat: Seat, number: int) -> Operation:
    """The operation that an approval started, as soon as the console shows it."""
    await seat.when(lambda: isinstance(seat.app.screen, OperationScreen))
    return next(one for one in await seat.hive.operations(ended=True) if one.proposal == number)


async def ended(seat: Seat, operation: Operation) -> Operation:
    async for _ in seat.hive.follow(operation.id):
        pass
    return await seat.hive.operation(operation.id)


async def test_an_approval_is_confirmed_and_deploys_the_commit_that_was_shown(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[0], MODULE.format("approved"), "Say approved")
        await seat.until("Say approved", 'GREETING = "approved"')
        assert screen.contents.review is not None
        number, commit = screen.contents.review.proposal.id, screen.contents.review.proposal.commit
        await seat.press("a")
        await seat.when(lambda: isinstance(seat.app.screen, ConfirmDialog))
        await seat.answer("y")
        assert (await ended(seat, await operation_of(seat, number))).state is OperationState.SUCCEEDED
        assert (await seat.hive.history(home.agents[0]))[0].commit == commit


async def test_an_incomplete_diff_cannot_be_approved(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("torn"))
        screen.diff.finish("the line broke")
        await seat.when(lambda: "the line broke" in (screen.unavailable_reason("approve") or ""))
        await seat.press("a")
        assert seat.app.screen is screen


async def test_a_file_missing_from_the_diff_locks_approval(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("lacking"))
        screen.contents.missing_files = ("secret.nix",)
        assert "secret.nix" in (screen.unavailable_reason("approve") or "")


async def test_hidden_whitespace_is_announced_and_locks_approval_until_shown(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("blank"))
        await seat.press("W")
        await seat.until("WHITESPACE CHANGES HIDDEN")
        await seat.when(lambda: not screen.contents.is_loading)
        await seat.press("a")
        await seat.notified("Press W to show them")
        await seat.press("W")
        await seat.until(gone=("WHITESPACE CHANGES",))
        await seat.when(lambda: screen.unavailable_reason("approve") is None)


@pytest.mark.slow
async def test_a_decision_by_somebody_else_is_announced_and_ends_this_one(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("denied"))
        number = str(number_of(screen))
        await asyncio.to_thread(home.run, "deny", number, "--note", "somebody else was faster")
        await seat.until(f"Decided while you were reading: #{number} was denied", "somebody else was faster")
        await seat.when(lambda: not screen.contents.is_loading)
        await seat.press("d")
        await seat.notified("was denied; it is no longer pending")


@pytest.mark.slow
async def test_a_base_that_moves_under_the_question_is_not_approved_and_the_new_diff_is_loaded(
    seated: Seated, home: Home
) -> None:
    agent = home.agents[0]
    async with seated() as seat:
        screen = await opened(seat, home, agent, MODULE.format("slow"), "Slower")
        await seat.press("a")
        await seat.when(lambda: isinstance(seat.app.screen, ConfirmDialog))
        other = await seat.hive.submit(agent, home.commit(agent, MODULE.format("fast"), "Faster"))
        assert (await ended(seat, await seat.hive.approve(other.id, other.commit, other.base))).proposal == other.id
        await seat.answer("y")
        await seat.when(lambda: seat.app.screen is screen)
        await seat.until("main moved from", "read it again", f"DOES NOT CONTAIN what was deployed as #{other.id}")
        await seat.when(lambda: screen.unavailable_reason("approve") is None)
        assert (await proposal(seat, number_of(screen))).state is ProposalState.PENDING
        assert screen.contents.review is not None
        assert screen.contents.review.proposal.base == other.commit
        await seat.press("a")
        await seat.until("reverts 1 deployed commit", f"against {str(other.commit)[:8]}")


@pytest.mark.slow
async def test_a_spawn_request_says_what_it_creates_and_approving_it_creates_that(
    seated: Seated, home: Home, newcomer: str
) -> None:
    async with seated() as seat:
        asked = await seat.hive.request_spawn(newcomer, "Somebody for the mail")
        screen = await shown(seat, asked.id)
        await seat.until("spawn request", "Somebody for the mail", f"h-{newcomer}", f"port {port_of(newcomer)}")
        await seat.press("v")
        await seat.notified("has no diff")
        await seat.press("a")
        await seat.until(f"Spawn {newcomer}?", "Its container is built")
        await seat.answer("y")
        assert (await ended(seat, await operation_of(seat, asked.id))).state is OperationState.SUCCEEDED
        assert seat.app.screen is not screen
        running = next(one for one in await seat.hive.agents() if one.name == newcomer)
        assert running.state is AgentState.RUNNING
        assert (await proposal(seat, asked.id)).state is ProposalState.DEPLOYED


@pytest.mark.slow
async def test_marking_a_file_as_viewed_goes_on_and_a_long_message_can_be_read_in_full(
    seated: Seated, home: Home
) -> None:
    async with seated(size=(80, 24)) as seat:
        message = "Title\n\n" + "\n".join(f"line {number}" for number in range(20))
        screen = await opened(seat, home, home.agents[1], MODULE.format("long"), message)
        text = await seat.until("more lines: m", "a approve", "d deny", "? help")
        assert "line 19" not in text
        await seat.press("v")
        await seat.until("1 viewed", "✓")
        await seat.press("m", "j")
        while "line 19" not in seat.text:
            await seat.press("space")
        await seat.press("escape", "escape")
        await seat.when(lambda: seat.app.screen is not screen and not screen.is_attached)
        await shown(seat, screen.contents.proposal_id)
        await seat.until("1 viewed", "✓")  # as long as the file is the same


@pytest.mark.slow
async def test_a_diff_against_another_base_names_it_and_locks_approval(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await opened(seat, home, home.agents[1], MODULE.format("base"))
        await seat.press("B")
        await seat.until("Compare with what?", "deployed as #0")
        await seat.answer("j", "j", "j", "j", "enter")
        await seat.until("COMPARED WITH deployed/0")
        await seat.when(lambda: not screen.contents.is_loading)
        assert "not against what runs" in (screen.unavailable_reason("approve") or "")


@pytest.mark.slow
async def test_what_git_warned_of_is_said_above_the_diff_and_once_however_often_it_is_read(
    seated: Seated, home: Home
) -> None:
    alternates = home.folder / f"var/lib/hyperhive/applied/{home.agents[0]}/.git/objects/info/alternates"
    async with seated(size=(160, 40)) as seat:
        number = number_of(await opened(seat, home, home.agents[0], MODULE.format("warned")))
        alternates.write_text("/nonexistent/objects\n")
        for _ in range(2):
            seat.navigator.open("agents")
            seat.app.call_later(lambda: seat.navigator.open("review", number=number))  # in the app's task, as by a key
            await seat.until(
                "▲ git: error: unable to normalize alternate object path: /nonexistent/objects", "GREETING"
            )
        assert sum("alternate object path" in one.message for one in seat.app._notifications) == 1
    alternates.unlink()
