"""The list of warnings: each has a fix, and disappears once it is fixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hivetui.console.state import FollowedState
from hivetui.embedded.layout import Layout
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.warnings import HiveWarning, WarningCode
from hivetui.screens.warnings import _FIXES, build_row
from tests.visual import moment
from tests.visual.still_hive import StillHive

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened, Terminal


def test_every_kind_of_warning_has_a_fix() -> None:
    assert set(_FIXES) == set(WarningCode)


async def test_advice_in_the_console_reaches_the_hive_that_it_shows() -> None:
    description = HiveDescription(title="embedded hive", root="/tmp/my hive", embedded=True, version="0")
    advice = "Run: hivetui rebuild iris, then hivetui doctor"
    warning = moment.WARNINGS[0].model_copy(update={"fix": advice})
    agent = moment.AGENTS[0].model_copy(update={"warnings": (warning,)})
    hive = StillHive(description=description, its_agents=(agent,), wrong=(warning,))
    state = await anext(FollowedState(description).follow(hive))
    fix = "Run: hivetui --embedded '/tmp/my hive' rebuild iris, then hivetui --embedded '/tmp/my hive' doctor"
    assert [one.fix for one in state.warnings] == [fix]
    assert [one.fix for one in state.agents[0].warnings] == [fix]
    assert build_row(state.warnings[0], description).cells[-1] == advice


@pytest.mark.parametrize(
    ("root", "embedded", "command"),
    [("/", False, "hivetui"), ("/mnt", False, "hivetui --root /mnt"), ("/tmp/h", True, "hivetui --embedded /tmp/h")],
)
def test_a_hive_knows_the_command_that_reaches_it(root: str, embedded: bool, command: str) -> None:
    description = HiveDescription(title="t", root=root, embedded=embedded, version="0")
    assert description.command == command
    text = "hivetui supports this: hivetui stop iris, hivetui --help"
    assert description.complete_commands(text) == f"hivetui supports this: {command} stop iris, hivetui --help"


@pytest.mark.slow
def test_drift_is_fixed_on_a_key_and_its_warning_disappears(console: Terminal, home: Home) -> None:
    name = home.agents[0]
    conf = home.folder / f"etc/nixos-containers/h-{name}.conf"
    conf.write_text(conf.read_text().replace("PRIVATE_NETWORK=0", "PRIVATE_NETWORK=1"))
    console.type("6")
    console.until("drift", name)
    console.settle()
    console.type("a")
    console.until(f"y rebuild {name}")
    console.settle()
    console.type("y")
    console.until("✓ succeeded")
    console.type("6")
    console.until("No warnings.")


@pytest.mark.slow
def test_a_fix_that_starts_an_agent_does_not_ask_as_starting_it_never_does(console: Terminal, home: Home) -> None:
    name = home.agents[0]
    unit = home.folder / f"run/embedded/units/h-{name}.json"
    os.kill(json.loads(unit.read_text())["pid"], signal.SIGKILL)
    console.type("6")
    console.until("agent-failed", name)
    console.settle()
    console.type("a")
    console.until("✓ succeeded")


def test_a_warning_about_an_agent_is_the_same_one_when_its_time_and_count_are_others() -> None:
    description = HiveDescription(title="embedded hive", root="/h", embedded=True, version="0")
    first, later = (
        HiveWarning(code=WarningCode.AGENT_FAILED, agents=("iris",), text=f"{count} times", fix="") for count in (3, 4)
    )
    assert build_row(first, description).key == build_row(later, description).key
    left = [
        HiveWarning(code=WarningCode.UNREPAIRED, agents=("iris",), text=text, fix="") for text in ("a tag", "a lock")
    ]
    found = [*moment.WARNINGS, *left]
    assert len({build_row(one, description).key for one in found}) == len(found)


@pytest.fixture
def looping(home: Home) -> Iterator[str]:
    """The agent that comes last by name, ending with an error half a second after each start."""
    name = max(home.agents)
    layout = Layout(home.folder)
    exits = layout.profile(f"h-{name}").resolve() / "exit-seconds"
    exits.write_text("0.5")  # what lab.exitSeconds writes
    restart = [*layout.stand_in("systemctl"), "restart", f"container@h-{name}"]
    subprocess.run(restart, check=True)
    yield name
    exits.unlink()
    subprocess.run(restart, check=True)


@pytest.mark.slow
def test_an_agent_that_restarts_again_and_again_is_at_the_top_and_is_stopped_from_its_warning(
    looping: str, console: Terminal, home: Home
) -> None:
    console.when(lambda: names_in_order(console, home) == [looping, min(home.agents)])
    console.type("g")
    console.until(f"▲ {looping} restarts again and again, ", "UTC: its container", "fix: Read why: ")
    console.type("6")
    console.until("agent-failed", f"{looping} restarts again and again, ", "then end it: ")
    console.settle()
    console.type("a")
    console.until(f"y stop {looping}, so that it is not started again")
    console.settle()
    console.type("y")
    console.until("✓ succeeded")
    console.type("6")
    console.until("No warnings.")


def names_in_order(console: Terminal, home: Home) -> list[str]:
    """The agents in the order of their rows, which have a glyph after the name, and one with the cursor before it."""
    words = (line.replace("›", " ").split() for line in console.text.splitlines())
    return [line[0] for line in words if len(line) > 1 and line[0] in home.agents and line[1] in "●○◐◑✗"]


@pytest.mark.slow
def test_the_warning_under_the_cursor_is_read_whole_at_80_columns(terminal: Opened, home: Home) -> None:
    name = home.agents[0]
    conf = home.folder / f"etc/nixos-containers/h-{name}.conf"
    conf.write_text(conf.read_text().replace("PRIVATE_NETWORK=0", "PRIVATE_NETWORK=1"))
    console = terminal(columns=80, rows=24)
    console.until(*home.agents)
    console.type("6")
    console.until(f"{name} differs from what the engine would configure: ", "Fix: hivetui --embedded", "rebuild", name)
