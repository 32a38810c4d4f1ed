from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivetui.engine.containers import ports
from hivetui.engine.containers.units import UnitState
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import Busy

UP = UnitState(state=AgentState.RUNNING, active="active", main_pid=4_000_000)
NOBODY = Path("/nonexistent")
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31337 1 0000 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31338 1 0000 100 0 0 10 0
   2: 0100007F:0016 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0000 100 0 0 10 0
"""
TABLE6 = """\
  sl  local_address                         remote_address                        st tx rx tr tm uid timeout inode
   0: 00000000000000000000000001000000:22B8 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 77 1 0
"""


@pytest.fixture
def listening() -> Iterator[int]:
    """A port on which this very process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def own_port(listening: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The same, as the port of every agent."""
    monkeypatch.setattr(ports, "port_of", lambda _: listening)
    return listening


def test_the_kernels_table_tells_who_listens() -> None:
    assert ports.parse_tcp(TABLE) == {8080: {31337, 31338}}
    assert ports.parse_tcp(TABLE6) == {8888: {77}}
    assert ports.parse_tcp("") == {}


def test_a_listener_has_the_name_of_its_process(host: Host, listening: int) -> None:
    listener = ports.listeners(host, {listening})[listening]
    name = Path("/proc/self/comm").read_text().strip()
    assert (os.getpid(), name) in listener.processes
    assert f"{name} (process {os.getpid()})" in listener.text


def test_a_listener_that_the_kernel_does_not_name_is_still_one(host: Host, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(TABLE)
    assert ports.listeners(host, proc=tmp_path) == {8080: ports.Listener(())}
    assert "does not name" in ports.Listener(()).text


def test_agents_that_share_a_port_collide() -> None:
    assert ports.collisions(["qa", "iris", "olivia", "qa"]) == {8991: ("olivia", "qa")}


def test_three_names_near_one_are_free() -> None:
    near = ports.free_names("qa", ("qa", "qa2"))
    assert len(near) == 3
    assert "qa2" not in near
    assert len({names.port_of(name) for name in (*near, "qa")}) == 4
    assert all(names.problem(name) is None for name in near)


def test_a_long_name_is_shortened_and_a_strange_one_still_has_neighbours() -> None:
    assert all(name.startswith("abcdefgh") for name in ports.free_names("abcdefghi", ()))
    assert len(ports.free_names("", ())) == 3


async def test_two_agents_of_one_port_do_not_both_run(host: Host) -> None:
    with pytest.raises(Busy) as refused:
        await ports.require_free(host, "qa", {"h-olivia": UP}, NOBODY)
    assert "8991" in refused.value.what
    assert "olivia" in refused.value.why
    assert "hivetui stop olivia" in refused.value.fix


async def test_agents_that_do_not_run_or_have_another_port_are_in_nobodys_way(host: Host) -> None:
    await ports.require_free(host, "qa", {"h-olivia": UnitState(), "h-qa": UP, "h-iris": UP, "olivia": UP}, NOBODY)


async def test_a_foreign_process_on_the_port_is_named(host: Host, own_port: int) -> None:
    with pytest.raises(Busy) as refused:
        await ports.require_free(host, "iris", {})
    assert str(own_port) in refused.value.what
    assert f"process {os.getpid()}" in refused.value.why


async def test_what_descends_from_the_agents_unit_is_the_agent_itself(host: Host, own_port: int) -> None:
    own = UnitState(state=AgentState.RUNNING, active="active", main_pid=os.getppid())
    await ports.require_free(host, "iris", {"h-iris": own})
    with pytest.raises(Busy):
        await ports.require_free(host, "iris", {"h-iris": UP})
