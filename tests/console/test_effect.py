"""The effect of a proposal in the console: its preview, beside the diff and in its place, and the bound approval."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.effect import Effect, EffectState, Failure, Moved, OptionChange, Unknown
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.screens.dialogs.choice import ChoiceDialog
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.obstacles import busy_obstacle
from hivetui.screens.operation import OperationScreen
from hivetui.screens.operation_text import suggest_next
from hivetui.screens.review import text
from hivetui.screens.review.decision import bound_derivation, effect_detail
from hivetui.screens.review.screen import ReviewScreen
from hivetui.widgets.effect.lines import describe_effect
from tests.moved_base import move_base

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seated

MODULE = (
    '{ pkgs, ... }:\n{\n  environment.systemPackages = [ pkgs.jq ];\n  environment.variables.GREETING = "hello";\n}\n'
)


async def test_an_effect_that_is_not_known_is_found_out_with_the_key_that_is_set(seated: Seated, home: Home) -> None:
    async with seated(size=(120, 40)) as seat:
        for one in await seat.hive.proposals():
            await seat.hive.withdraw(one.id)
        agent = home.agents[0]
        proposal = await seat.hive.submit(agent, home.commit(agent, MODULE.replace("hello", "keys")))
        seat.app.set_keymap({"review.preview": "f5"})
        seat.navigator.open("review", number=proposal.id)
        await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen.contents.is_loading)
        await seat.press("E")
        await seat.until("effect: not known; f5 finds it out", gone=("hivetui preview",))
        await seat.press("a")
        await seat.until("not bound to any:", "│  f5 finds it out")
        await seat.answer("n")
        await seat.hive.withdraw(proposal.id)
        await seat.until("effect: not known", gone=("finds it out",))


@pytest.mark.slow
async def test_a_preview_is_started_with_a_key_shown_in_place_of_the_diff_and_bound_into_the_approval(
    seated: Seated, home: Home
) -> None:
    async with seated(size=(80, 24)) as seat:
        for one in await seat.hive.proposals():
            await seat.hive.withdraw(one.id)
        agent = home.agents[0]
        proposal = await seat.hive.submit(agent, home.commit(agent, MODULE))
        seat.navigator.open("review", number=proposal.id)
        await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen.contents.is_loading)
        screen = seat.app.screen
        assert isinstance(screen, ReviewScreen)
        await seat.press("E")
        await seat.until("effect: not known")
        await seat.press("p")
        await seat.when(lambda: screen.contents.effect.state is EffectState.KNOWN)
        await seat.until("effect: known", "environment.variables.GREETING  agent.nix:4", '+ "hello"')
        await seat.press("o")
        await seat.when(lambda: isinstance(seat.app.screen, ChoiceDialog))
        await seat.until("environment.systemPackages  agent.nix:3")
        await seat.answer("j", "enter")
        await seat.when(lambda: seat.app.screen is screen and not screen.has_class("effect"))
        assert b"GREETING" in screen.diff.index.raw(screen.diff.line)
        await seat.press("a")
        await seat.when(lambda: isinstance(seat.app.screen, ConfirmDialog))
        await seat.until("effect: 2 options changed; bound to it")
        await seat.answer("y")
        await seat.when(lambda: isinstance(seat.app.screen, OperationScreen))
        (operation,) = [
            one
            for one in await seat.hive.operations(ended=True)
            if one.proposal == proposal.id and one.kind == "deploy"
        ]
        async for _ in seat.hive.follow(operation.id):
            pass
        assert (await seat.hive.operation(operation.id)).state is OperationState.SUCCEEDED
        assert (await seat.hive.effect(proposal.id)).state is EffectState.KNOWN


@pytest.mark.slow
async def test_an_effect_that_moves_under_the_question_is_refused_in_words_and_nothing_is_approved(
    seated: Seated, home: Home
) -> None:
    async with seated() as seat:
        for one in await seat.hive.proposals():
            await seat.hive.withdraw(one.id)
        module = '{ ... }:\n{\n  environment.variables.MOVED = "1";\n}\n'
        proposal = await seat.hive.submit(home.agents[1], home.commit(home.agents[1], module))
        preview = await seat.hive.preview(proposal.id)
        async for _ in seat.hive.follow(preview.id):
            pass
        seat.navigator.open("review", number=proposal.id)
        await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen.contents.is_loading)
        screen = seat.app.screen
        assert isinstance(screen, ReviewScreen)
        await seat.press("a")
        await seat.when(lambda: isinstance(seat.app.screen, ConfirmDialog))
        await seat.until("bound to it")
        await asyncio.to_thread(move_base, home.folder, 23)
        await seat.answer("y")
        await seat.notified("its effect has moved")
        await seat.notified("hyperhive has moved: ")
        await seat.when(lambda: screen.contents.effect.state is EffectState.OUTDATED)
        assert [one.id for one in await seat.hive.proposals()] == [proposal.id]


KNOWN = Effect(
    state=EffectState.KNOWN,
    derivation="/nix/store/x.drv",
    system="/nix/store/x",
    changed=True,
    unknown=(Unknown(namespace="services", side="new", why="infinite recursion \x1b[2J"),),
    options=(OptionChange(option="a.b", old="1", new='"\u202e"', file="agent.nix", line=3),),
)


def test_what_could_not_be_evaluated_comes_first_and_hostile_text_is_shown_as_text() -> None:
    lines = [line.text for line in describe_effect(KNOWN)]
    assert lines[0] == "effect: known"
    assert lines[1].startswith("  !! UNKNOWN services (new): infinite recursion ‹")
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert "    a.b  agent.nix:3" in lines


@pytest.mark.parametrize(
    ("effect", "derivation", "detail"),
    [
        (KNOWN, "/nix/store/x.drv", "effect: 1 option changed, ▲ 1 part unknown; bound to it"),
        (KNOWN.model_copy(update={"state": EffectState.OUTDATED}), None, "▲ the effect is outdated"),
        (KNOWN.model_copy(update={"state": EffectState.FAILED}), None, "▲ its preview failed"),
        (Effect(), None, "▲ the effect is not known"),
    ],
)
def test_an_approval_is_bound_to_an_effect_only_while_it_is_known(
    effect: Effect, derivation: str | None, detail: str
) -> None:
    assert bound_derivation(effect) == derivation
    assert effect_detail(effect).startswith(detail)


def test_an_outdated_effect_says_what_moved() -> None:
    moved = (Moved(input="hyperhive", old="1" * 40, new="2" * 40),)
    effect = KNOWN.model_copy(update={"state": EffectState.OUTDATED, "moved": moved})
    assert describe_effect(effect)[0].text == f"effect: OUTDATED, moved since: hyperhive {'1' * 12} → {'2' * 12}"


def test_a_failed_preview_is_done_again_and_proposes_nothing() -> None:
    now = datetime.now(UTC)
    failed = Operation(
        id=3, kind=OperationKind.PREVIEW, agent="iris", proposal=7, state=OperationState.FAILED, step="build",
        started_at=now, ended_at=now, operator="ada", error="It would fail",
    )  # fmt: skip
    assert suggest_next(failed).endswith("r: preview it again")


def test_a_preview_holds_no_agent() -> None:
    now = datetime.now(UTC)
    running = Operation(
        id=3, kind=OperationKind.PREVIEW, agent="iris", proposal=7, state=OperationState.RUNNING, step="build",
        started_at=now, ended_at=None, operator="ada", error=None,
    )  # fmt: skip
    assert busy_obstacle("iris", [running]) is None
    assert busy_obstacle("iris", [running.model_copy(update={"kind": OperationKind.DEPLOY})]) is not None


@pytest.mark.parametrize(
    ("effect", "line"),
    [
        (Effect(), ""),
        (KNOWN, "Effect: 1 option; ▲ 1 part unknown"),
        (KNOWN.model_copy(update={"changed": False, "unknown": ()}), "Effect: none, the agent has this very system"),
        (Effect(state=EffectState.RUNNING, operation=3), "Effect: being found out …"),
        (
            Effect(state=EffectState.FAILED, failure=Failure(stage="build", hint="The disk is full.")),
            "▲ It would fail (build): The disk is full.",
        ),
        (
            KNOWN.model_copy(
                update={"state": EffectState.OUTDATED, "moved": (Moved(input="base", old="1", new="2"),), "unknown": ()}
            ),
            "▲ Effect: outdated, base moved",
        ),
    ],
)
def test_the_head_of_a_review_says_how_much_is_known(effect: Effect, line: str) -> None:
    assert text.describe_effect(effect)[0] == line
