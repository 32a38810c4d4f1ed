"""The list of warnings: each has a fix, and disappears once it is fixed."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from hivetui.console.state import FollowedState
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.warnings import WarningCode
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


@pytest.mark.slow
def test_the_warning_under_the_cursor_is_read_whole_at_80_columns(terminal: Opened, home: Home) -> None:
    name = home.agents[0]
    conf = home.folder / f"etc/nixos-containers/h-{name}.conf"
    conf.write_text(conf.read_text().replace("PRIVATE_NETWORK=0", "PRIVATE_NETWORK=1"))
    console = terminal(columns=80, rows=24)
    console.until(*home.agents)
    console.type("6")
    console.until(f"{name} differs from what the engine would configure: ", "Fix: hivetui --embedded", "rebuild", name)
