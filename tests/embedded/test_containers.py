import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from hivetui.embedded import units
from hivetui.embedded.files import write_json
from hivetui.embedded.layout import Layout
from hivetui.engine.containers import ports
from hivetui.engine.host.procfs import process_stat
from tests.embedded.conftest import Rig
from tests.waiting import until


def until_gone(pid: int) -> None:
    """Wait for a process that ends by itself within a few seconds."""
    deadline = time.monotonic() + 10
    while (stat := process_stat(pid)) is not None and stat.is_running:
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.02)


def test_a_container_is_made_started_seen_and_stopped(rig: Rig) -> None:
    rig.create()
    assert rig.container("status", "h-iris").stdout == "down\n"
    rig.container("start", "h-iris", check=True)
    assert rig.container("status", "h-iris").stdout == "up\n"
    assert rig.page() == "iris\n"
    assert rig.environment() == {"HIVE_LABEL": "iris", "HIVE_PORT": str(rig.port)}
    assert rig.run(rig.host.tools.machinectl, "show", "h-iris", "-p", "State").stdout == "State=running\n"
    rig.container("stop", "h-iris", check=True)
    assert rig.state == "inactive"
    assert rig.run(rig.host.tools.machinectl, "show", "h-iris").returncode == 1
    with pytest.raises(OSError, match="refused"):
        rig.page()


def test_a_failed_build_leaves_a_container_that_exists(played: Rig) -> None:
    played.git(played.meta, "rm", "-q", "--cached", "flake.nix")
    done = played.create(check=False)
    assert done.returncode == 1
    assert "failed to build container" in done.stderr
    assert played.container("list").stdout == "h-iris\n"
    assert "already exists" in played.create(check=False).stderr


def test_the_out_link_is_left_in_the_working_directory(contained: Rig) -> None:
    assert (contained.work / ".tmp").readlink() == contained.host.paths.profile("iris").resolve()


def test_only_create_looks_at_the_length_of_a_name(played: Rig) -> None:
    assert "is too long" in played.container("create", "h-abcdefghij", "--flake", "/x#y").stderr
    assert "does not exist" in played.container("start", "h-abcdefghij").stderr
    assert "Unknown option" in played.container("start", "-x").stderr


def test_destroying_takes_the_container_and_a_missing_one_is_no_failure(contained: Rig) -> None:
    contained.container("start", "h-iris", check=True)
    contained.container("destroy", "h-iris", check=True)
    assert contained.container("list").stdout == ""
    assert not contained.host.paths.profile("iris").parent.exists()
    assert contained.container("destroy", "h-iris").returncode == 0
    gone = contained.container("status", "h-iris")
    assert (gone.stdout, gone.returncode) == ("gone\n", 1)


@pytest.mark.slow
def test_an_update_of_a_running_container_reloads_it(contained: Rig) -> None:
    contained.container("start", "h-iris", check=True)
    url = f"git+file://{contained.applied}?rev=" + contained.change('{ environment.variables.D = "4"; }')
    flags = ["--no-write-lock-file", "--override-input", "agent-iris", url]
    contained.container("update", "h-iris", "--flake", f"git+file://{contained.meta}#iris", *flags, check=True)
    deadline = time.monotonic() + 5
    while "D" not in contained.environment():
        assert time.monotonic() < deadline


def test_a_broken_system_does_not_come_up(contained: Rig) -> None:
    contained.use("{ lab.broken = true; }")
    done = contained.systemctl("start", "container@h-iris")
    assert done.returncode == 1
    assert "Job for container@h-iris.service failed" in done.stderr
    assert contained.state == "failed"
    assert "panic" in contained.journal("-u", "container@h-iris", "-o", "cat")
    contained.systemctl("reset-failed", "container@h-iris", check=True)
    assert contained.state == "inactive"


def test_a_taken_port_keeps_an_agent_from_coming_up(contained: Rig) -> None:
    with socket.create_server(("127.0.0.1", contained.port)):
        assert contained.systemctl("start", "container@h-iris").returncode == 1
    assert f"cannot listen on 127.0.0.1:{contained.port}" in contained.journal("-M", "h-iris", "-o", "cat")
    contained.systemctl("start", "container@h-iris", check=True)


@pytest.mark.slow
def test_a_bind_source_that_is_missing_stops_the_start(contained: Rig) -> None:
    conf = contained.host.paths.conf("iris")
    conf.write_text(conf.read_text() + f'EXTRA_NSPAWN_FLAGS="--bind={contained.root}/missing:/run/hive"\n')
    assert contained.container("start", "h-iris").returncode == 1
    assert "No such file or directory" in contained.journal("-u", "container@h-iris", "-o", "cat")
    (contained.root / "missing").mkdir()
    contained.container("start", "h-iris", check=True)


def test_a_killed_agent_is_a_failed_unit_and_starts_again(contained: Rig) -> None:
    contained.container("start", "h-iris", check=True)
    pid = int(contained.properties("MainPID")["MainPID"])
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)
    assert contained.properties("ActiveState", "Result") == {"ActiveState": "failed", "Result": "signal"}
    contained.container("start", "h-iris", check=True)
    assert contained.page() == "iris\n"


def test_a_killed_agent_is_said_to_have_failed_when_it_died_and_not_when_it_started(contained: Rig) -> None:
    contained.container("start", "h-iris", check=True)
    layout, hour_ago = Layout(contained.root), time.time_ns() // 1000 - 3_600_000_000
    state = units.state_file(layout, "h-iris")
    unit = units.read(layout, "h-iris")
    write_json(state, unit._replace(entered=hour_ago, changed=hour_ago)._asdict())
    os.utime(state, (0, 0))
    until(lambda: state.stat().st_mtime > 0)  # the agent still lives
    alive = state.stat().st_mtime_ns // 1000
    os.kill(unit.pid, signal.SIGKILL)
    until_gone(unit.pid)
    dead = units.read(layout, "h-iris")
    assert (dead.active, dead.entered) == ("failed", hour_ago)
    assert alive <= dead.changed == dead.left <= time.time_ns() // 1000
    times = ("--timestamp=unix", "--property=StateChangeTimestamp,InactiveEnterTimestamp", "--value")
    shown = contained.systemctl("show", "container@h-iris", *times, check=True).stdout
    assert shown.splitlines() == [f"@{dead.left // 1_000_000}"] * 2


def until_restarted(rig: Rig, times: int) -> None:
    deadline = time.monotonic() + 20
    while int(rig.properties("NRestarts")["NRestarts"]) < times:
        assert time.monotonic() < deadline, rig.journal("-u", "container@h-iris", "-o", "cat")


def test_an_agent_that_ends_with_an_error_is_started_again_until_it_is_stopped(contained: Rig) -> None:
    contained.use("{ lab.exitSeconds = 0.2; }")
    contained.container("start", "h-iris", check=True)
    until_restarted(contained, 3)
    assert contained.state in ("active", "activating")
    pid = units.read(Layout(contained.root), "h-iris").pid
    began = time.monotonic()
    contained.container("stop", "h-iris", check=True)
    assert time.monotonic() - began < units.STOP_SECONDS, "it ends at once, also while it restarts"
    until_gone(pid)
    assert contained.state == "inactive"
    assert "container@h-iris.service: Failed with result 'exit-code'." in contained.journal(
        "-u", "container@h-iris", "-o", "cat"
    )
    contained.use("{ }")
    contained.container("start", "h-iris", check=True)
    assert contained.properties("NRestarts", "Result") == {"NRestarts": "0", "Result": "success"}
    assert contained.page() == "iris\n"


def test_an_agent_that_is_killed_while_it_restarts_stays_failed(contained: Rig) -> None:
    contained.use("{ lab.exitSeconds = 0.2; }")
    contained.container("start", "h-iris", check=True)
    until_restarted(contained, 1)
    pid = units.read(Layout(contained.root), "h-iris").pid
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)
    assert contained.properties("ActiveState", "Result") == {"ActiveState": "failed", "Result": "signal"}


def test_an_agent_that_cannot_start_again_stays_failed_with_what_it_said(contained: Rig) -> None:
    contained.use("{ lab.exitSeconds = 0.2; }")
    contained.container("start", "h-iris", check=True)
    (contained.host.paths.profile("iris").resolve() / "broken").touch()
    deadline = time.monotonic() + 20
    while contained.state != "failed":
        assert time.monotonic() < deadline
    assert contained.properties("Result") == {"Result": "exit-code"}
    assert "panic: the system is broken" in contained.journal("-u", "container@h-iris", "-o", "cat")


def test_an_agent_that_exceeds_its_memory_is_killed(contained: Rig) -> None:
    limit(contained, "1M", "50%")
    contained.systemctl("start", "container@h-iris", check=True)
    deadline = time.monotonic() + 20
    while contained.state != "failed":
        assert time.monotonic() < deadline
    assert contained.properties("Result", "MainPID") == {"Result": "oom-kill", "MainPID": "0"}
    assert "killed by the OOM killer" in contained.journal("-u", "container@h-iris", "-o", "cat")
    limit(contained, "infinity", "50%")
    contained.container("start", "h-iris", check=True)
    assert contained.page() == "iris\n"


@pytest.mark.parametrize("milliseconds", [20, 35, 50, 65, 80])
def test_an_agent_starts_whenever_the_systemctl_that_started_it_was_killed(contained: Rig, milliseconds: int) -> None:
    starting = subprocess.Popen([*Layout(contained.root).stand_in("systemctl"), "start", "container@h-iris"])
    time.sleep(milliseconds / 1000)  # somewhere before, in or after the start of the agent's process
    starting.kill()
    starting.wait()
    contained.container("start", "h-iris", check=True)
    assert contained.page() == "iris\n"
    contained.container("stop", "h-iris", check=True)
    assert contained.port not in ports.listeners()


@pytest.mark.slow
def test_an_agent_that_does_not_listen_to_term_is_killed(contained: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    contained.container("start", "h-iris", check=True)
    pid = int(contained.properties("MainPID")["MainPID"])
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(units, "STOP_SECONDS", 0.1)
    units.stop(Layout(contained.root), "h-iris")
    assert (stat := process_stat(pid)) is None or not stat.is_running
    assert contained.state == "inactive"


def test_another_process_with_the_same_pid_is_not_the_agent(played: Rig) -> None:
    folder = Layout(played.root)
    write_json(units.state_file(folder, "h-iris"), units.Unit("h-iris", "active", pid=os.getpid(), born="1")._asdict())
    assert played.state == "failed"
    units.stop_all(folder)


@pytest.mark.slow
def test_agents_end_when_their_folder_goes(contained: Rig) -> None:
    contained.container("start", "h-iris", check=True)
    pid = int(contained.properties("MainPID")["MainPID"])
    contained.root.rename(contained.root.with_name("moved"))
    until_gone(pid)
    assert not contained.root.exists()
    shutil.rmtree(contained.root.with_name("moved"))


def limit(rig: Rig, memory: str, quota: str) -> None:
    drop_in: Path = rig.host.paths.limits("iris")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(f"[Service]\nMemoryMax={memory}\nCPUQuota={quota}\n")


@pytest.mark.slow
def test_limits_are_read_at_start_and_again_at_daemon_reload(contained: Rig) -> None:
    limit(contained, "2G", "50%")
    contained.container("start", "h-iris", check=True)
    wanted = ("MemoryMax", "CPUQuotaPerSecUSec")
    assert contained.properties(*wanted) == {"MemoryMax": "2147483648", "CPUQuotaPerSecUSec": "500ms"}
    limit(contained, "512M", "150%")
    assert contained.properties("MemoryMax") == {"MemoryMax": "2147483648"}
    contained.systemctl("daemon-reload", check=True)
    assert contained.properties(*wanted) == {"MemoryMax": "536870912", "CPUQuotaPerSecUSec": "1s 500ms"}


@pytest.mark.slow
def test_usage_is_that_of_the_process(contained: Rig) -> None:
    before = contained.properties("MemoryCurrent", "CPUUsageNSec", "TasksCurrent")
    assert set(before.values()) == {"[not set]"}
    contained.container("start", "h-iris", check=True)
    now = contained.properties("MemoryCurrent", "CPUUsageNSec", "TasksCurrent")
    assert 1 << 20 < int(now["MemoryCurrent"]) < 100 << 20
    assert int(now["TasksCurrent"]) == 1


@pytest.mark.slow
def test_a_pattern_shows_loaded_units_only_and_a_name_shows_any(contained: Rig) -> None:
    assert contained.systemctl("show", "container@*", "--property=Id").stdout == ""
    assert contained.systemctl("show", "container@h-iris", "-p", "Id").stdout == "Id=container@h-iris.service\n"
    contained.container("start", "h-iris", check=True)
    shown = contained.systemctl("show", "container@*", "--property=Id,ActiveEnterTimestamp", "--timestamp=unix").stdout
    assert shown.startswith("Id=container@h-iris.service\nActiveEnterTimestamp=@")
    assert abs(int(shown.strip().rpartition("@")[2]) - time.time()) < 60


def test_a_hundred_agents_are_shown_by_one_call_in_a_moment(played: Rig) -> None:
    folder, me = (
        Layout(played.root),
        units.Unit("", "active", "running", pid=os.getpid(), born=units.start_time(os.getpid())),
    )
    for number in range(100):
        name = f"h-a{number:02}"
        write_json(units.state_file(folder, name), me._replace(container=name)._asdict())
    begin = time.perf_counter()
    shown = played.systemctl("show", "container@*", "--property=Id,ActiveState,MemoryCurrent", check=True).stdout
    assert time.perf_counter() - begin < 1.0
    assert shown.count("ActiveState=active") == 100
    assert len(shown.split("\n\n")) == 100
    for path in folder.units.glob("h-a*.json"):  # they are this very process: nothing may stop them
        path.unlink()


def test_what_is_not_played_is_refused(played: Rig) -> None:
    assert played.systemctl("enable", "container@h-iris").returncode == 1
    assert played.systemctl("start", "sshd.service").returncode == 5
    assert played.systemctl("show", "--frobnicate").returncode == 1
    assert played.container("run", "h-iris").returncode == 1
