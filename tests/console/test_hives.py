"""Several hives in one console: the list of them, the switch from one to another, and what belongs to which."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from hivetui.app import HiveConsole
from hivetui.cli import parser
from hivetui.cli.console_hives import find_other_hives
from hivetui.client.connection import Connection, ConnectionLost
from hivetui.client.hive import RemoteHive
from hivetui.client.transports import over_socket
from hivetui.client.unix_socket import connect_to_service
from hivetui.console.hives import Condition, HiveSource
from hivetui.console.session import HiveOpener
from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine.api import Hive
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.errors import NotAllowed, WrongUsage
from hivetui.engine.model.settings import DeploySection, HostSection, Settings
from hivetui.screens.agents.screen import AgentsScreen
from hivetui.screens.base import OpenRequested
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.screens.hives.requests import HiveRequested
from hivetui.screens.hives.screen import HivesScreen
from hivetui.screens.operation import OperationScreen
from hivetui.screens.proposals import ProposalsScreen
from hivetui.screens.review.screen import ReviewScreen
from hivetui.widgets.table.line_table import LineTable
from tests.conftest import EmbeddedAgent
from tests.console.conftest import Home, Seat

Several = Callable[..., AbstractAsyncContextManager[Seat]]
HOSTILE = "\x1b]0;owned\x07 [red]x[/]"
SETTINGS = Settings(deploy=DeploySection(health_seconds=0))


def opener(folder: Path) -> HiveOpener:
    async def opened() -> Hive:
        return await open_embedded_hive(folder, SETTINGS, from_environment(os.environ))

    return opened


def behind(path: Path) -> HiveSource:
    """A hive whose engine would listen at that socket."""

    async def connect() -> Connection:
        connected = connect_to_service(path)
        if connected is None:
            raise ConnectionLost(f"Nothing listens at {path.name}.")
        return await over_socket(connected)

    async def opened() -> Hive:
        hive = RemoteHive(connect)
        await hive.open()
        return hive

    return HiveSource(path.name, opened)


@pytest.fixture
def several(home: Home, agent: EmbeddedAgent) -> Several:
    """A console on two hives, "one" with two agents and "two" with another: `async with several() as seat`."""

    @asynccontextmanager
    async def open_all(*others: HiveSource, named: bool = True, columns: int = 120) -> AsyncIterator[Seat]:
        two = HiveSource("two", opener(agent.host.paths.root), named=named)
        sources: Sequence[HiveSource] = (two, *others)
        app = HiveConsole(opener(home.folder), name="one", other_hives=lambda settings: sources)
        async with app.run_test(size=(columns, 30)) as pilot:
            seat = Seat(app, pilot)
            await seat.until(*home.agents)
            yield seat

    return open_all


def front(seat: Seat) -> str:
    assert seat.app.hives is not None
    return seat.app.hives.front.name


def condition(seat: Seat, name: str) -> Condition:
    assert seat.app.hives is not None
    return seat.app.hives.link(name).condition


async def test_enter_on_another_hive_shows_its_agents_and_its_name_and_nothing_of_the_first(
    several: Several, home: Home, agent: EmbeddedAgent
) -> None:
    async with several(columns=60) as seat:
        assert seat.text.startswith(" one ")
        await seat.press("0")
        await seat.until("two", "● in front", "● connected")
        await seat.press("j", "enter")
        shown = await seat.until(agent.name, gone=home.agents)
        assert shown.startswith(" two ")
        assert front(seat) == "two"
        assert {one.name for one in await seat.hive.agents()} == {agent.name}
        assert all(getattr(screen, "hive", seat.hive) is seat.hive for screen in seat.app.screen_stack)


@pytest.mark.slow
async def test_an_approval_from_the_list_of_all_proposals_goes_to_the_hive_of_the_review(
    several: Several, home: Home, agent: EmbeddedAgent
) -> None:
    async with several() as seat:
        assert seat.app.hives is not None
        await seat.when(lambda: condition(seat, "two") is Condition.CONNECTED)
        one, two = (link.session.hive for link in seat.app.hives.links if link.session is not None)
        mine = await one.submit(home.agents[0], home.commit(home.agents[0], "{ ... }: { }\n"))
        theirs = await two.submit(agent.name, agent.commit("  # two"))
        await seat.press("0", "p")
        await seat.until(home.agents[0], agent.name, "one", "two")
        await seat.press("j", "enter")
        await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen.contents.is_loading)
        assert isinstance(seat.app.screen, ReviewScreen)
        assert seat.app.screen.hive is two
        assert (await seat.until(agent.name)).startswith(" two ")
        await seat.press("a")
        await seat.answer("y")
        await seat.when(lambda: isinstance(seat.app.screen, OperationScreen))
        assert [found.proposal for found in await two.operations(ended=True) if found.proposal] == [theirs.id]
        assert [found.id for found in await one.proposals()] == [mine.id]
        await one.withdraw(mine.id)


@pytest.mark.slow
async def test_lists_of_several_hives_keep_their_cursor_by_id_on_the_way_to_another_screen_and_when_rows_come(
    several: Several, home: Home, agent: EmbeddedAgent
) -> None:
    def current() -> str:
        return seat.app.screen.query_one(LineTable).current or ""

    async with several() as seat:
        assert seat.app.hives is not None
        await seat.when(lambda: condition(seat, "two") is Condition.CONNECTED)
        one, two = (link.session.hive for link in seat.app.hives.links if link.session is not None)
        theirs = await two.submit(agent.name, agent.commit("  # two"))
        await seat.press("0", "j")
        await seat.when(lambda: current() == "two")
        await seat.press("1", "0")
        await seat.until("● in front")
        await seat.when(lambda: current() == "two")

        await seat.press("A")
        await seat.until(agent.name, *home.agents)
        seat.app.screen.query_one(LineTable).action_last()
        chosen = current()
        assert chosen.startswith("two")
        await seat.press("1", "0", "A")
        await seat.until(agent.name, *home.agents)
        await seat.when(lambda: current() == chosen)

        await seat.press("p")
        await seat.until(f"#{theirs.id}")
        seat.app.screen.query_one(LineTable).action_last()
        chosen = current()
        mine = await one.submit(home.agents[0], home.commit(home.agents[0], "{ ... }: { }\n", "It comes above"))
        await seat.until("It comes above")
        assert current() == chosen
        await seat.press("1", "0", "p")
        await seat.until("It comes above")
        await seat.when(lambda: current() == chosen)
        await one.withdraw(mine.id)


async def test_nothing_takes_the_hive_away_from_under_a_note_that_is_being_written(several: Several) -> None:
    async with several() as seat:
        await seat.when(lambda: condition(seat, "two") is Condition.CONNECTED)
        dialog = NoteDialog("Deny #7?")
        seat.app.push_screen(dialog)
        assert "─ one ─" in await seat.until("Deny #7?")
        await seat.press("0")
        seat.navigator.go_to_hive(HiveRequested("two"))
        assert seat.app.screen is dialog
        assert front(seat) == "one"
        await seat.notified("Answer the dialog first")


async def test_a_number_of_a_hive_that_is_no_longer_in_front_opens_nothing(several: Several) -> None:
    async with several() as seat:
        assert seat.app.hives is not None
        await seat.when(lambda: condition(seat, "two") is Condition.CONNECTED)
        before = seat.hive
        seat.navigator.go_to_hive(HiveRequested("two"))
        seat.navigator.open_requested(OpenRequested(before, "proposals"))
        assert isinstance(seat.app.screen, AgentsScreen)
        seat.navigator.open_requested(OpenRequested(seat.hive, "proposals"))
        assert isinstance(seat.app.screen, ProposalsScreen)


def test_each_host_is_in_the_list_once_and_its_shells_are_opened_there() -> None:
    request = parser.parse(["--host", "lab", "--host", "attic", "--host", "lab"])
    settings = Settings(hosts={"attic": HostSection(), "cellar": HostSection(address="ops@cellar.example")})
    others = find_other_hives(request, settings)
    assert [(one.name, one.named) for one in others] == [("attic", True), ("cellar", False)]
    shells = [one.shell_command("iris") for one in others if one.shell_command is not None]
    assert [argv[-4:] for argv in shells] == [["--host", name, "shell", "iris"] for name in ("attic", "cellar")]


def test_the_hive_of_this_host_keeps_its_name_when_a_host_elsewhere_has_the_same() -> None:
    others = find_other_hives(parser.parse([]), Settings(hosts={"here": HostSection(address="there")}))
    assert [(one.name, one.named) for one in others] == [("--host here", False)]


def test_a_second_host_that_can_be_none_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="'b;c' is not understood"):
        find_other_hives(parser.parse(["--host", "lab", "--host", "b;c"]), Settings())


@pytest.mark.slow
async def test_hives_that_are_dead_or_silent_hold_up_nothing_and_are_told(
    several: Several, home: Home, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        async with several(behind(tmp_path / "dead"), behind(tmp_path / "silent")) as seat:
            await seat.until("▲ dead is away", "Nothing listens at dead.")
            await seat.press("0")
            await seat.until("dead", "✗ lost", "silent", "● in front", "● connected")
            assert condition(seat, "silent") is not Condition.CONNECTED
            await seat.press("j", "j", "enter")  # tries again, and says why it is not in front
            await seat.notified("Nothing listens at dead.")
            assert front(seat) == "one"
            await seat.press("C")  # no longer wanted
            await seat.when(lambda: condition(seat, "dead") is Condition.CLOSED)
            await seat.press("escape")
            await seat.until(*home.agents, gone=("dead is away",))


@pytest.mark.slow
async def test_a_hive_of_the_settings_is_connected_to_when_somebody_wants_it_and_not_before(
    several: Several, agent: EmbeddedAgent
) -> None:
    async with several(named=False) as seat:
        await seat.press("0")
        await seat.until("two", "○ not connected")
        await seat.press("A")
        await seat.until("HIVE", gone=(agent.name,))
        await seat.press("escape", "j", "C")
        await seat.until("● connected")
        assert front(seat) == "one"
        await seat.press("A")
        await seat.until(agent.name)
        await seat.press("G", "enter")
        await seat.when(lambda: front(seat) == "two")
        assert isinstance(seat.app.screen, AgentsScreen)
        assert seat.app.screen.table.current == agent.name
        await seat.press("0", "C")
        await seat.notified("two is in front")
        assert condition(seat, "two") is Condition.CONNECTED


@pytest.mark.slow
async def test_a_hive_that_refuses_the_login_is_not_tried_again_and_says_why(several: Several) -> None:
    attempts = []

    async def refuse() -> Hive:
        attempts.append(1)
        raise NotAllowed("attic refused the login", f"Permission denied. {HOSTILE}", "Check the user and the key.")

    async with several(HiveSource("attic", refuse)) as seat:
        await seat.press("0", "G")
        shown = await seat.until("✗ failed", "Permission denied.", "Check the user and the key.")
        assert "‹U+001B›]0;owned‹U+0007› [red]x[/]" in shown
        assert seat.app.hives is not None
        assert not seat.app.hives.link("attic").is_active
        assert len(attempts) == 1
        await seat.press("enter")
        await seat.notified("Permission denied. ‹U+001B›]0;owned")
        assert len(attempts) == 2
        assert isinstance(seat.app.screen, HivesScreen)


@pytest.mark.slow
async def test_a_proposal_on_a_hive_behind_the_one_in_front_shows_in_the_title_line(
    several: Several, agent: EmbeddedAgent
) -> None:
    async with several() as seat:
        assert seat.app.hives is not None
        await seat.when(lambda: condition(seat, "two") is Condition.CONNECTED)
        assert "hives(1)" not in seat.text
        two = seat.app.hives.link("two").session
        assert two is not None
        await two.hive.submit(agent.name, agent.commit("  # more"))
        await seat.until("0:hives(1)")


@pytest.mark.slow
async def test_when_the_first_hive_is_dead_the_next_one_is_in_front_and_when_all_are_its_error_ends_the_console(
    agent: EmbeddedAgent, tmp_path: Path
) -> None:
    first, second = behind(tmp_path / "first"), behind(tmp_path / "second")
    two = HiveSource("two", opener(agent.host.paths.root))
    app = HiveConsole(first.open, name="first", other_hives=lambda settings: (second, two))
    async with app.run_test(size=(120, 30)) as pilot:
        seat = Seat(app, pilot)
        await seat.until(agent.name, "▲ first is away", "▲ second is away")
        assert front(seat) == "two"
    alone = HiveConsole(first.open, name="first", other_hives=lambda settings: (second,))
    async with alone.run_test() as pilot:
        await Seat(alone, pilot).when(lambda: alone.failure is not None)
    assert "Nothing listens at first." in str(alone.failure)
