"""The units of containers, as `systemctl show` prints them and as the embedded host has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.embedded import units as embedded_units
from hivetui.embedded.layout import Layout
from hivetui.engine.containers import units
from hivetui.engine.host.host import Command, Completed, Host, LineSink
from hivetui.engine.model.agents import AgentState
from tests.engine.embedded_host import create_container
from tests.runners import WrappedRunner

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress


SHOWN = """\
MainPID=1717
NRestarts=2
MemoryCurrent=24088576
CPUUsageNSec=13878726000
TasksCurrent=9
Id=container@h-iris.service
ActiveState=active
SubState=running
ActiveEnterTimestamp=@1700000000

MainPID=0
NRestarts=0
MemoryCurrent=[not set]
CPUUsageNSec=18446744073709551615
TasksCurrent=[not set]
Id=container@web.service
ActiveState=failed
SubState=failed
ActiveEnterTimestamp=
"""


def test_the_output_for_several_units_is_parsed() -> None:
    parsed = units.parse_units(SHOWN)
    assert parsed["h-iris"] == units.UnitState(
        state=AgentState.RUNNING,
        active="active",
        sub="running",
        memory_bytes=24088576,
        cpu_nanoseconds=13878726000,
        tasks=9,
        since=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        restarts=2,
        main_pid=1717,
    )
    assert parsed["web"] == units.UnitState(state=AgentState.FAILED, active="failed", sub="failed")


@pytest.mark.parametrize(
    ("active", "state"),
    [
        ("active", AgentState.RUNNING),
        ("reloading", AgentState.RUNNING),
        ("activating", AgentState.STARTING),
        ("deactivating", AgentState.STOPPING),
        ("inactive", AgentState.STOPPED),
        ("failed", AgentState.FAILED),
        ("maintenance", AgentState.STOPPED),
    ],
)
def test_a_unit_has_a_state(active: str, state: AgentState) -> None:
    assert units.parse_unit({"ActiveState": active}).state is state


@given(st.text())
def test_arbitrary_output_of_systemctl_does_not_crash(text: str) -> None:
    units.parse_units("Id=container@x.service\nMemoryCurrent=" + text)


async def test_an_unloaded_unit_is_a_stopped_container(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await create_container(embedded, progress)
    states = await units.unit_states(embedded)
    assert states == {"h-iris": units.UnitState()}
    assert units.is_up(states, "iris") is False


async def test_a_failed_unit_without_a_container_is_left_out(embedded: Host) -> None:
    embedded_units.write(Layout(embedded.paths.root), embedded_units.Unit("h-gone", "failed", "failed", "exit-code"))
    assert await units.unit_states(embedded) == {}


async def test_all_units_are_read_with_one_call(embedded: Host) -> None:
    calls: list[tuple[str, ...]] = []

    class CountingRunner(WrappedRunner):
        async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
            calls.append(command.argv)
            return await super().run(command, sink)

    for name in ("h-a", "h-b", "h-c"):
        (embedded.paths.containers / f"{name}.conf").touch()
    assert len(await units.unit_states(replace(embedded, runner=CountingRunner(embedded.runner)))) == 3
    assert len(calls) == 1
