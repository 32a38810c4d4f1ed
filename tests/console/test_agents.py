"""The home screen, on an embedded hive: rows, detail, filter, marks, and the reasons of refusals."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import product
from string import ascii_lowercase
from typing import TYPE_CHECKING

import pytest
from textual import events

from hivetui.console.state import StateChanged
from hivetui.engine.hive import LocalHive
from hivetui.engine.host import locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent, AgentDetail, AgentState
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.operations import Operation
from hivetui.engine.operations import store
from hivetui.screens.agents.lifecycle import refusal
from hivetui.screens.agents.screen import AgentsScreen
from hivetui.widgets.agent_detail import AgentDetailView
from hivetui.widgets.table.line_table import LineTable

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated, Terminal


def table(seat: Seat) -> LineTable:
    screen = seat.app.screen
    assert isinstance(screen, AgentsScreen)
    return screen.table


async def test_a_row_shows_state_port_and_deploy(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        text = await seat.until("running")
        row = next(line for line in text.splitlines() if home.agents[0] in line)
        assert "● running" in row
        assert str(names.port_of(home.agents[0])) in row
        assert "#0 " in row


async def test_the_detail_shows_log_deploys_limits_mounts_and_paths_in_this_order(seated: Seated) -> None:
    async with seated(size=(160, 60)) as seat:
        text = await seat.until("last lines", "deploys", "limits", "mounts", "paths below")
        paths = [text.index(word) for word in ("last lines", "deploys", "limits", "mounts", "paths below")]
        assert paths == sorted(paths)
        assert "memory 2G" in text


async def test_the_detail_is_loaded_once_as_long_as_the_agent_does_not_change(
    seated: Seated, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    followed: list[LogQuery] = []
    ask, follow = LocalHive.agent, LocalHive.logs

    async def counted(self: LocalHive, name: str) -> AgentDetail:
        asked.append(name)
        return await ask(self, name)

    def counted_logs(self: LocalHive, query: LogQuery) -> AsyncGenerator[list[LogLine], None]:
        followed.append(query)
        return follow(self, query)

    monkeypatch.setattr(LocalHive, "agent", counted)
    monkeypatch.setattr(LocalHive, "logs", counted_logs)
    async with seated() as seat:
        await seat.until("deploys")
        for _ in range(3):
            seat.app.screen.post_message(StateChanged(seat.session.state))
            await seat.pilot.pause()
        await seat.until("last lines", "turn ")
        assert len(asked) == 1
        assert [query.follow for query in followed] == [True]  # one stream, and not a program every few seconds
        await seat.press("j")
        await seat.when(lambda: len(asked) == 2)


async def test_the_cursor_stays_with_its_agent_when_the_order_is_reversed(seated: Seated) -> None:
    async with seated() as seat:
        chosen = table(seat).current
        await seat.press("S", "I")
        assert table(seat).sorted_by == ("name", True)
        assert table(seat).current == chosen


async def test_a_filter_works_while_typed_stays_visible_and_says_when_nothing_matches(
    seated: Seated, home: Home
) -> None:
    first, second = home.agents
    async with seated() as seat:
        await seat.press("slash", *second)
        await seat.when(lambda: table(seat).shown == (second,))
        await seat.press("enter")
        assert seat.app.focused is None
        assert second in seat.text.splitlines()[-2]
        await seat.press("slash", "underscore", "underscore")
        await seat.until("None of 2 rows contains")
        await seat.press("escape")
        await seat.when(lambda: set(table(seat).shown) == {first, second})


async def test_keys_typed_before_the_filter_line_is_open_become_part_of_it_in_order(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        for key in ("slash", *"no such"):  # in one go, as a slow line delivers it
            seat.app.post_message(events.Key("space" if key == " " else key, key if len(key) == 1 else None))
        await seat.until("'no such'")
        assert table(seat).shown == ()


@pytest.mark.parametrize(
    ("key", "act"),
    [
        ("x", "Stop"),
        *(pytest.param(*row, marks=pytest.mark.slow) for row in (("r", "Restart"), ("b", "Rebuild"), ("D", "Destroy"))),
    ],
)
async def test_a_question_names_every_marked_agent_and_its_safe_answer_does_nothing(
    seated: Seated, home: Home, key: str, act: str
) -> None:
    async with seated() as seat:
        before = await seat.hive.operations(ended=True)
        await seat.press("space", "space", key)
        text = await seat.until(f"{act} 2 marked agents?")
        assert ", ".join(sorted(home.agents)) in text.partition(f"{act} 2 marked agents?")[2], "below the question"
        await seat.answer("enter")
        await seat.until(gone=(f"{act} 2 marked agents?",))
        assert await seat.hive.operations(ended=True) == before


def restarts(home: Home) -> list[Operation]:
    return [one for one in store.list_operations(Paths(home.folder), ended=True) if one.kind == "restart"]


@pytest.mark.slow
async def test_a_busy_agent_is_reported_by_name_and_the_other_one_is_restarted(seated: Seated, home: Home) -> None:
    busy, free = sorted(home.agents)
    with locks.acquire(locks.agent_lock(Paths(home.folder), busy), "a test"):
        async with seated() as seat:
            await seat.press("space", "space", "r")
            await seat.until("Restart 2 marked agents?")
            await seat.answer("y")
            await seat.notified(f"{busy}: ")
            await seat.when(lambda: bool(restarts(home)))
            assert [one.agent for one in restarts(home)] == [free]
            async for _ in seat.hive.follow(restarts(home)[0].id):
                pass


async def test_a_port_collision_is_shown_at_the_top_in_the_rows_and_in_the_detail(seated: Seated, home: Home) -> None:
    first = min(home.agents)
    port = names.port_of(first)
    near = ("z" + "".join(rest) for rest in product(ascii_lowercase, repeat=4))
    twin = next(name for name in near if names.port_of(name) == port)
    conf = Paths(home.folder).conf(twin)
    conf.write_text(Paths(home.folder).conf(first).read_text())
    try:
        async with seated() as seat:
            text = await seat.until("▲", twin, f"port {port}", "Fix: ")
            assert f"▲{port}" in text
            detail = seat.app.screen.query_one(AgentDetailView)
            assert detail._given[0] is not None
            assert [one.port for one in detail._given[0].warnings] == [port]
    finally:
        conf.unlink()


async def test_a_foreign_container_is_marked_and_keys_say_why_it_is_left_alone(seated: Seated, home: Home) -> None:
    conf = Paths(home.folder).conf("x").with_name("byhand.conf")
    conf.write_text("PRIVATE_NETWORK=0\n")
    try:
        async with seated() as seat:
            row = next(line for line in (await seat.until("byhand")).splitlines() if "byhand" in line)
            assert "foreign" in row
            table(seat).go_to_key("byhand")
            await seat.press("s")
            await seat.notified("was not created by hivetui")
            assert all(one.agent != "byhand" for one in await seat.hive.operations(ended=True))
            await seat.press("4")
            assert "byhand" not in await seat.until("following", gone=("annot read",))
    finally:
        conf.unlink()


def test_a_destroyed_agent_can_be_purged_but_not_started() -> None:
    kept = Agent(name="old", container="h-old", manager=False, port=8100, state=AgentState.KEPT)
    assert refusal("purge", kept) is None
    assert "no container" in (refusal("start", kept) or "")


@pytest.mark.slow
async def test_the_spawn_dialog_shows_container_port_and_what_is_wrong_with_a_name(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await seat.press("c")
        await seat.until("Spawn an agent")
        await seat.answer(*"alice")
        await seat.until("container h-alice, port 8879")
        await seat.press("slash")
        await seat.until("alice/", gone=("h-alice",))
        await seat.press(*["backspace"] * 6, *home.agents[0])
        await seat.until("already exists", "similar names with a free port: ")
        await seat.press("enter")
        await seat.until("Spawn an agent")
        await seat.answer("escape")
        await seat.until(gone=("Spawn an agent",))


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_help_and_the_keys_of_the_selected_agent_are_visible_at_any_width(
    seated: Seated, size: tuple[int, int]
) -> None:
    async with seated(size=size) as seat:
        line = (await seat.until("? help")).splitlines()[-1]
        assert "x stop" in line or "l log" in line


def test_keys_after_enter_in_the_same_packet_are_not_part_of_the_filter(console: Terminal, home: Home) -> None:
    name = home.agents[1]
    console.type(f"/{name}\rl")
    console.until("4:logs*", f"harness of {name} listening")
    console.type("\x1b")
    console.until("1:agents*", f"› {name}")


async def test_marks_are_counted_on_the_screen_and_cleared_by_escape(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await seat.until("running")
        await seat.press("space", "space")
        await seat.until("2 marked: ", *home.agents)
        await seat.press("escape")
        await seat.until(gone=("2 marked: ",))
        assert table(seat).marked == ()


@pytest.mark.slow
async def test_the_cursor_of_a_list_is_where_it_was_when_the_list_was_left(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await seat.until("running")
        await seat.press("5")
        await seat.until("▶ active", *home.agents)
        history = seat.app.screen.query_one(LineTable)
        history.action_last()
        last = history.current
        assert last != history.shown[0]
        await seat.press("4", "5")
        await seat.until("▶ active", *home.agents)
        await seat.when(lambda: seat.app.screen.query_one(LineTable).current == last)


async def test_marked_agents_are_purged_only_when_the_name_of_each_is_typed(seated: Seated, home: Home) -> None:
    both = sorted(home.agents)
    async with seated() as seat:
        await seat.press("space", "space", "P")
        text = await seat.until("Purge 2 marked agents?", "This cannot be undone.")
        assert ", ".join(both) in text.partition("Purge 2 marked agents?")[2], "below the question"
        await seat.answer(*both[0], "enter")
        await seat.until(f"The names are {' '.join(both)}.")
        await seat.press("escape")
        assert {one.state for one in await seat.hive.agents()} == {AgentState.RUNNING}


async def test_a_purge_is_of_the_marked_agent_and_not_of_the_one_under_the_cursor(seated: Seated, home: Home) -> None:
    first, second = sorted(home.agents)
    async with seated() as seat:
        await seat.press("space")  # which moves the cursor on
        assert (table(seat).marked, table(seat).current) == ((first,), second)
        await seat.press("P")
        await seat.until(f"Purge {first}?")
        await seat.press("escape")
