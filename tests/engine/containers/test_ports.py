from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivetui.engine.agents import spawn_advice
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


def test_listening_ports_are_read_from_the_kernel_table() -> None:
    assert ports.parse_tcp(TABLE) == {8080: {31337, 31338}}
    assert ports.parse_tcp(TABLE6) == {8888: {77}}
    assert ports.parse_tcp("") == {}


def test_a_listener_has_the_name_of_its_process(host: Host, listening: int) -> None:
    listener = ports.listeners({listening})[listening]
    name = Path("/proc/self/comm").read_text().strip()
    assert (os.getpid(), name) in listener.processes
    assert f"{name} (process {os.getpid()})" in listener.text


def test_a_listener_of_another_user_is_listed_without_its_process(host: Host, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(TABLE)
    assert ports.listeners(proc=tmp_path) == {8080: ports.Listener(())}
    assert "another user" in ports.Listener(()).text


def test_agents_that_share_a_port_collide() -> None:
    assert ports.collisions(["qa", "iris", "olivia", "qa"]) == {8991: ("olivia", "qa")}


def test_three_similar_free_names_are_offered() -> None:
    near = ports.free_names("qa", ("qa", "qa2"))
    assert len(near) == 3
    assert "qa2" not in near
    assert len({names.port_of(name) for name in (*near, "qa")}) == 4
    assert all(names.problem(name) is None for name in near)


def test_a_long_name_is_shortened_and_an_empty_one_still_gets_offers() -> None:
    assert all(name.startswith("abcdefgh") for name in ports.free_names("abcdefghi", ()))
    assert len(ports.free_names("", ())) == 3


def test_a_port_of_a_running_agent_is_refused_to_another(host: Host) -> None:
    with pytest.raises(Busy) as refused:
        ports.require_free("qa", {"h-olivia": UP}, NOBODY)
    assert "8991" in refused.value.what
    assert "olivia" in refused.value.why
    assert "hivetui stop olivia" in refused.value.fix


def test_agents_that_are_stopped_or_have_another_port_do_not_block(host: Host) -> None:
    ports.require_free("qa", {"h-olivia": UnitState(), "h-qa": UP, "h-iris": UP, "olivia": UP}, NOBODY)


def test_a_foreign_process_on_the_port_is_named(host: Host, own_port: int) -> None:
    with pytest.raises(Busy) as refused:
        ports.require_free("iris", {})
    assert str(own_port) in refused.value.what
    assert f"process {os.getpid()}" in refused.value.why


def test_a_descendant_of_the_agents_own_unit_does_not_block_it(host: Host, own_port: int) -> None:
    own = UnitState(state=AgentState.RUNNING, active="active", main_pid=os.getppid())
    ports.require_free("iris", {"h-iris": own})
    with pytest.raises(Busy):
        ports.require_free("iris", {"h-iris": UP})


def test_no_other_name_is_offered_for_the_port_that_only_the_manager_has(host: Host) -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", names.port_of(names.MANAGER)))
            listening.listen()
        except OSError:
            pass  # a manager of another test listens: that will do as well
        with pytest.raises(Busy, match="8000") as caught:
            ports.require_free(names.MANAGER, {})
        advice = spawn_advice.advise(host, names.MANAGER)
    assert caught.value.fix == "End that process."
    assert advice.listener
    assert advice.free_names == ()


def test_a_name_that_is_offered_is_not_that_of_another_agent() -> None:
    with pytest.raises(Busy) as caught:
        ports.require_free("qa", {"h-olivia": UP, "h-qa2": UP, "h-qa3": UnitState()}, NOBODY)
    assert caught.value.fix == "Stop olivia (hivetui stop olivia), or use another name, such as qa4, qa5, qa6."
