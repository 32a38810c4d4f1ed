"""The list of warnings: each has a fix, and disappears once it is fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivetui.engine.model.warnings import WarningCode
from hivetui.screens.warnings import _FIXES

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened, Terminal


def test_every_kind_of_warning_has_a_fix() -> None:
    assert set(_FIXES) == set(WarningCode)


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


def test_the_warning_under_the_cursor_is_read_whole_at_80_columns(terminal: Opened, home: Home) -> None:
    name = home.agents[0]
    conf = home.folder / f"etc/nixos-containers/h-{name}.conf"
    conf.write_text(conf.read_text().replace("PRIVATE_NETWORK=0", "PRIVATE_NETWORK=1"))
    console = terminal(columns=80, rows=24)
    console.until(*home.agents)
    console.type("6")
    console.until(f"{name} differs from what the engine would configure: ", f"Fix: hivetui rebuild {name}")
