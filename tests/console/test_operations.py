"""Operations: their progress, how they ended, and what can be done next."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.deploy import steps
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.model.steps import STEPS
from hivetui.engine.operations.directory import directory_of
from hivetui.screens.operation import OperationScreen
from hivetui.screens.operation_text import (
    build_header,
    format_running,
    format_step,
    progress_below_header,
    suggest_next,
)
from hivetui.screens.operations import OperationsScreen, build_detail, build_row
from hivetui.widgets.table.columns import ColumnLayout
from hivetui.widgets.table.rows import cell_of
from tests.operation_output import PICTURE, insert_output

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seated, Terminal

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def operation(state: OperationState = OperationState.RUNNING, **fields: object) -> Operation:
    known: dict[str, object] = {
        "id": 7, "kind": OperationKind.DEPLOY, "agent": "iris", "proposal": 3, "state": state, "step": "build",
        "started_at": NOW - timedelta(seconds=65), "ended_at": None, "operator": "walt", "error": None,
    }  # fmt: skip
    return Operation.model_validate(known | fields)


def test_the_steps_of_a_deploy_are_those_of_the_engine() -> None:
    assert STEPS[OperationKind.DEPLOY] == tuple(step.name for step in steps.STEPS)


def test_a_planned_step_is_shown_with_its_number() -> None:
    assert format_step(operation()) == "build 3/9"
    assert format_step(operation(step="put back")) == "restore previous"
    assert format_step(operation(step=None)) == ""


def test_the_line_of_keys_shows_the_oldest_running_operation_and_how_many_more() -> None:
    rows = (operation(), operation(id=8), operation(OperationState.FAILED, id=1))
    assert format_running(rows) == "▶ deploy iris build 3/9 +1 "
    assert format_running(()) == ""


def test_the_header_of_a_failure_shows_its_step_duration_and_error() -> None:
    failed = operation(OperationState.FAILED, ended_at=NOW, error="It broke\nfor a reason \x1b[2J\nmend it")
    text = build_header(failed, NOW).plain
    assert "✗ failed  deploy iris #3, at build, took 1m 05s  operation 7, by walt" in text
    assert "It broke\nfor a reason ‹U+001B›[2J\nmend it" in text
    assert "e: error" in text


def test_the_list_tells_which_proposal_an_operation_was_of_when_it_began_and_all_of_its_error() -> None:
    error = "It broke because " + "of this " * 20 + "\nMend it"
    failed = operation(OperationState.FAILED, ended_at=NOW, error=error)
    layout = ColumnLayout(OperationsScreen.COLUMNS)
    layout.grow([row := build_row(failed, NOW)])
    layout.fit(160)
    shown = {OperationsScreen.COLUMNS[index].id: cell_of(row.cells[index]).text for index, _ in layout.shown}
    assert shown["proposal"] == "#3"
    assert shown["started"] == f"{failed.started_at.astimezone():%a %Y-%m-%d %H:%M}"
    detail = " ".join(build_detail(failed, NOW).plain.split())
    assert "7 deploy of iris, proposal #3: failed at build" in detail
    assert "2025-12-31 23:58:55 UTC, took 1m 05s, by walt" in detail
    assert detail.endswith("of this of this Mend it")


def test_an_error_of_long_lines_pushes_out_no_way_on() -> None:
    failed = operation(OperationState.FAILED, error="\n".join("x" * 300 for _ in range(5)))
    assert suggest_next(failed) in build_header(failed, NOW).plain.splitlines()[1]


def test_the_errors_of_a_build_stay_in_its_progress_until_the_header_shows_them() -> None:
    progress = BuildProgress(started_at=NOW, failed=1, errors=("builder for 'x' failed",))
    assert progress_below_header(operation(progress=progress)) == progress
    ended = operation(OperationState.FAILED, ended_at=NOW, error="It broke", progress=progress)
    assert progress_below_header(ended) == progress.model_copy(update={"errors": ()})
    assert progress_below_header(operation()) is None


@pytest.mark.parametrize("state", list(OperationState))
@pytest.mark.parametrize("kind", list(OperationKind))
def test_every_state_suggests_what_to_do_next(state: OperationState, kind: OperationKind) -> None:
    assert suggest_next(operation(state, kind=kind))


def test_an_operation_keeps_running_without_its_screen_and_can_be_reopened(console: Terminal, home: Home) -> None:
    console.type("r")
    console.until("Restart ")
    console.press("y", gone="Restart ")
    console.until("restart", "succeeded")
    console.type("3")
    console.until("spawn", "succeeded")
    console.type("\r")
    console.until("took")


async def test_output_that_arrives_after_the_screen_was_closed_is_dropped(seated: Seated) -> None:
    async with seated() as seat:
        await seat.press("3")
        await seat.until("succeeded")
        await seat.press("enter")
        await seat.until("took")
        screen = seat.app.screen
        assert isinstance(screen, OperationScreen)
        await seat.press("escape")
        await seat.when(lambda: not screen.is_attached)
        await screen._follow()


async def test_a_build_shows_what_is_built_and_at_the_end_what_was_built(seated: Seated, home: Home) -> None:
    agent = home.agents[0]
    home.commit(agent, "{ ... }: { lab.buildSeconds = 4; }\n")
    number = json.loads(home.run("submit", agent, "--json"))["proposal"]["id"]
    async with seated(size=(80, 24)) as seat:
        proposal = (await seat.hive.review(number)).proposal
        operation = await seat.hive.approve(number, proposal.commit, proposal.base)
        await seat.press("3")
        await seat.until("running", agent)
        await seat.press("enter")
        await seat.until("0 of 1 built, 1 building", "nixos-system-", "units", "making units")
        await seat.press("z")
        await seat.until("making units", gone=("1 building",))
        await seat.press("z")
        await seat.until("1 built in")
        await seat.until("succeeded", "1 built in")
    assert "progress:  1 built in" in home.run("operation", str(operation.id))


@pytest.mark.slow
async def test_a_search_in_the_output_tells_which_of_how_many_matches_it_is_at(seated: Seated, home: Home) -> None:
    output = b"\n".join((b"acorn one", *[b"straw"] * 60, b"acorn two", b"acorn three"))
    insert_output(directory_of(Paths(home.folder), 2).path, output)
    async with seated() as seat:
        seat.navigator.open("operation", number=2)
        await seat.until("took", "acorn three")
        await seat.press("slash", *"aco")
        await seat.until("search /aco/ 2 of 3", "acorn two")
        await seat.press("r", "n", "space", "t")
        await seat.until("search /acorn t/ 1 of 2")
        await seat.press("enter", "n")
        await seat.until("search /acorn t/ 2 of 2", "acorn three")
        await seat.press("escape")
        await seat.until(gone=("search /acorn t/",))


async def test_binary_output_is_named_once_with_its_size(seated: Seated, home: Home) -> None:
    insert_output(directory_of(Paths(home.folder), 1).path, b"before\n" + PICTURE + b"\nafter")
    async with seated() as seat:
        await seat.press("3")
        await seat.until("succeeded")
        await seat.press("G", "enter")
        await seat.until("before", "‹binary, 20", "after")
        assert seat.text.count("binary") == 1
