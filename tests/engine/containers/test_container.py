from __future__ import annotations

import random
import socket
import string
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.embedded import units
from hivetui.embedded.folder import Folder
from hivetui.engine.containers import container, ports
from hivetui.engine.host import files
from hivetui.engine.host.host import Command, Completed, Host, LineSink
from hivetui.engine.host.paths import Paths
from hivetui.engine.meta import repository
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import BadConfiguration, NotFound, OperationFailed
from hivetui.engine.model.names import container_of, port_of
from hivetui.engine.model.settings import AgentLimits, AgentSection, LimitsSection, Settings
from tests.runners import WrappedRunner

if TYPE_CHECKING:
    from tests.engine.embedded_host import Recorder, Repos

PLACES = Paths(Path("/"))
LIBRARY = "/var/lib/hyperhive"


# The configuration


def test_the_engine_owns_the_network_and_the_mounts() -> None:
    assert container.engine_values(PLACES, "iris") == {
        "PRIVATE_NETWORK": "0",
        "HOST_ADDRESS": "",
        "LOCAL_ADDRESS": "",
        "HOST_ADDRESS6": "",
        "LOCAL_ADDRESS6": "",
        "HOST_BRIDGE": "",
        "EXTRA_NSPAWN_FLAGS": f'"--bind=/run/hyperhive/agents/iris:/run/hive'
        f" --bind={LIBRARY}/agents/iris/claude:/root/.claude --bind={LIBRARY}/agents/iris/state:/state"
        '"',
    }


def test_the_manager_sees_applied_and_meta_and_cannot_write_them() -> None:
    flags = container.engine_values(PLACES, "hm1nd")["EXTRA_NSPAWN_FLAGS"]
    assert flags.endswith(
        f'--bind={LIBRARY}/agents:/agents --bind-ro={LIBRARY}/applied:/applied --bind-ro={LIBRARY}/meta:/meta"'
    )


@pytest.mark.parametrize("root", ["/a b", '/a"', "/a$HOME", "/a:b", "/a\\b", "/a\nb", "/a'", "/ä", "/a%b"])
def test_a_folder_that_another_reader_would_expand_is_not_mounted(root: str) -> None:
    with pytest.raises(BadConfiguration):
        container.engine_values(Paths(Path(root)), "iris")


def test_own_keys_are_rewritten_in_place_and_every_other_byte_stays() -> None:
    before = b"# mine\r\nB=1\n\n  A = x\nHOST_PORT=\xff\nA=old\nA=older"
    after = container.rewrite_conf(before, {"A": "new", "B": "2", "C": "3"})
    assert after == b"# mine\r\nB=2\n\n  A = x\nHOST_PORT=\xff\nA=new\nA=new\nC=3\n"


def test_an_assignment_over_several_lines_is_one() -> None:
    before = b"A=\"one \\\ntwo\nB=inside\"\nX='\nB=inside\n'\nC=x\\\nB=inside\n# c \\\nB=inside\nB=\n"
    after = container.rewrite_conf(before, {"A": "1", "B": "2"})
    assert after == b"A=1\nX='\nB=inside\n'\nC=x\\\nB=inside\n# c \\\nB=inside\nB=2\n"


def test_a_quote_in_the_middle_of_a_value_opens_nothing() -> None:
    assert container.rewrite_conf(b"X=it's\nA=1\n", {"A": "2"}) == b"X=it's\nA=2\n"


LINES = st.sampled_from(
    ["A=1", "# x \\", 'X="', "HOST_BRIDGE=br0", "", "  PRIVATE_NETWORK=1", "Y='", 'Z=a"b', "X=\\", '"']
)


@given(st.lists(LINES))
def test_rewriting_twice_gives_the_same_bytes(before: list[str]) -> None:
    own = container.engine_values(PLACES, "iris")
    once = container.rewrite_conf("\n".join(before).encode(), own)
    assert container.rewrite_conf(once, own) == once


def test_the_limits_are_those_of_the_settings() -> None:
    settings = Settings(agents={"iris": AgentSection(limits=AgentLimits(memory_max="1G"))})
    assert container.limits_text(settings.limits_of("iris")) == b"[Service]\nMemoryMax=1G\nCPUQuota=50%\n"
    assert container.limits_text(LimitsSection()) == b"[Service]\nMemoryMax=2G\nCPUQuota=50%\n"


def conf(host: Host, text: str = "AUTO_START=0\n") -> Path:
    path = host.paths.conf("iris")
    files.make_directory(path.parent)
    path.write_text(text)
    return path


def test_a_conf_is_written_once(host: Host) -> None:
    path = conf(host)
    assert container.write_conf(host, "iris") is True
    inode = path.stat().st_ino
    assert container.write_conf(host, "iris") is False
    assert path.stat().st_ino == inode
    assert path.read_text().startswith("AUTO_START=0\nPRIVATE_NETWORK=0\n")


def test_a_container_that_is_not_there_has_no_conf_to_write(host: Host) -> None:
    with pytest.raises(NotFound):
        container.write_conf(host, "iris")


def test_a_container_that_the_host_declares_is_left_alone(host: Host, tmp_path: Path) -> None:
    path = conf(host)
    path.rename(tmp_path / "declared")
    path.symlink_to(tmp_path / "declared")
    with pytest.raises(OperationFailed, match="declared"):
        container.write_conf(host, "iris")
    assert (tmp_path / "declared").read_text() == "AUTO_START=0\n"


def test_what_was_changed_by_hand_is_drift(host: Host) -> None:
    path, limits = conf(host), host.paths.limits("iris")
    assert container.drifted_files(host, "iris") == (path, limits)
    container.write_conf(host, "iris")
    assert container.drifted_files(host, "iris", running=False) == ()
    files.make_directory(limits.parent)
    limits.write_bytes(b"[Service]\nMemoryMax=64G\n")
    assert container.drifted_files(host, "iris", running=False) == (limits,)


def test_all_containers_are_listed_also_strange_ones(host: Host) -> None:
    conf(host)
    (host.paths.containers / "web.conf").touch()
    (host.paths.containers / "notes.txt").touch()
    assert container.containers(host) == ["h-iris", "web"]


# Units

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


def test_one_call_tells_of_all_units() -> None:
    units = container.parse_units(SHOWN)
    assert units["h-iris"] == container.UnitState(
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
    assert units["web"] == container.UnitState(state=AgentState.FAILED, active="failed", sub="failed")


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
    assert container.parse_unit({"ActiveState": active}).state is state


@given(st.text())
def test_no_text_of_systemctl_is_a_crash(text: str) -> None:
    container.parse_units("Id=container@x.service\nMemoryCurrent=" + text)


# What is done


def test_a_container_is_built_from_meta_without_new_locks() -> None:
    assert container.build_arguments("create", PLACES, "iris") == (
        *("create", "h-iris", "--flake", f"{LIBRARY}/meta#iris"),
        *("--option", "accept-flake-config", "false", "--option", "allow-import-from-derivation", "false"),
        "--no-update-lock-file",
    )


def test_a_profile_holds_what_its_generation_links_to(host: Host) -> None:
    profile = host.paths.profile("iris")
    assert container.system_of(host, "iris") is None
    files.make_directory(profile.parent)
    (profile.parent / "system-7-link").symlink_to("/nix/store/x-system")
    profile.symlink_to("system-7-link")
    assert container.system_of(host, "iris") == Path("/nix/store/x-system")


async def made(host: Host, recorder: Recorder, name: str = "iris") -> Path:
    """A container of an agent, ready to start; its system."""
    await repository.sync(host, recorder, [name])
    system = await container.create(host, recorder, name)
    container.write_conf(host, name)
    await container.write_limits(host, recorder, name)
    for mount in host.paths.mounts(name):
        files.make_directory(Path(mount.source))
    return system


async def test_a_container_is_made_and_goes_without_a_trace(embedded: Host, recorder: Recorder, iris: Repos) -> None:
    system = await made(embedded, recorder)
    assert container.system_of(embedded, "iris") == system
    assert container.drifted_files(embedded, "iris") == ()
    await container.destroy(embedded, recorder, "iris")
    await container.destroy(embedded, recorder, "iris")
    assert container.containers(embedded) == []
    assert not embedded.paths.limits("iris").parent.exists()
    assert list(embedded.paths.work.iterdir()) == []


async def test_an_update_is_refused_when_another_system_came(embedded: Host, recorder: Recorder, iris: Repos) -> None:
    system = await made(embedded, recorder)
    await container.update(embedded, recorder, "iris", system)
    with pytest.raises(OperationFailed, match="has not the system"):
        await container.update(embedded, recorder, "iris", Path("/nix/store/another"))


async def test_an_unloaded_unit_is_a_stopped_container(embedded: Host, recorder: Recorder, iris: Repos) -> None:
    await made(embedded, recorder)
    states = await container.unit_states(embedded)
    assert states == {"h-iris": container.UnitState()}
    assert container.is_up(states, "iris") is False


async def test_the_failure_of_a_container_that_is_gone_makes_no_agent(embedded: Host) -> None:
    units.write(Folder(embedded.paths.root), units.Unit("h-gone", "failed", "failed", "exit-code"))
    assert await container.unit_states(embedded) == {}


async def test_a_sweep_is_one_call(embedded: Host) -> None:
    calls: list[tuple[str, ...]] = []

    class Counting(WrappedRunner):
        async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
            calls.append(command.argv)
            return await super().run(command, sink)

    for name in ("h-a", "h-b", "h-c"):
        (embedded.paths.containers / f"{name}.conf").touch()
    assert len(await container.unit_states(replace(embedded, runner=Counting(embedded.runner)))) == 3
    assert len(calls) == 1


async def test_a_container_that_cannot_start_says_so(embedded: Host, recorder: Recorder, iris: Repos) -> None:
    await made(embedded, recorder)
    embedded.paths.profile("iris").unlink()
    with pytest.raises(OperationFailed, match=f"{container_of('iris')} did not come up") as caught:
        await container.start_and_verify(embedded, recorder, "iris", 1)
    assert "No such file" in caught.value.why.splitlines()[0], "the cause comes first"


def free_name() -> str:
    """A name whose port nobody listens on: agents of other tests run on this machine too."""
    while True:
        name = "c" + "".join(random.choices(string.ascii_lowercase, k=6))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port_of(name)))
            return name


async def test_a_container_comes_up_and_goes_down(
    embedded: Host, recorder: Recorder, newcomer: Callable[[str], Repos]
) -> None:
    name = newcomer(free_name()).name
    await made(embedded, recorder, name)
    await container.start_and_verify(embedded, recorder, name, 0.1)
    states = await container.unit_states(embedded)
    assert container.is_up(states, name)
    assert states[container_of(name)].since is not None
    await ports.require_free(embedded, name, states)
    await container.stop(embedded, recorder, name)
    await container.stop(embedded, recorder, name)
    assert not container.is_up(await container.unit_states(embedded), name)


async def test_a_container_that_does_not_stay_up_says_so(
    embedded: Host, recorder: Recorder, newcomer: Callable[[str], Repos]
) -> None:
    name = newcomer(free_name()).name
    await made(embedded, recorder, name)

    class Short(WrappedRunner):
        """Ends the agent as soon as somebody looks at it the second time."""

        looks = 0

        async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
            if "container@*" in command.argv:
                self.looks += 1
                if self.looks == 2:
                    await container.stop(embedded, recorder, name)
            return await super().run(command, sink)

    with pytest.raises(OperationFailed, match="did not stay"):
        await container.start_and_verify(replace(embedded, runner=Short(embedded.runner)), recorder, name, 30)
