import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hivetui.engine.events import event_log
from hivetui.engine.host import locks
from hivetui.engine.host.host import Host, Tools
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.procfs import process_stat
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.errors import Busy, CannotCreate, NotFound, Stale
from hivetui.engine.model.events import EventKind
from hivetui.engine.model.operations import (
    Entry,
    EntryKind,
    Operation,
    OperationKind,
    OperationRequest,
    OperationState,
    Operator,
)
from hivetui.engine.model.settings import Settings
from hivetui.engine.operations import launch, record
from hivetui.engine.operations.record import OperationDirectory, Record

WORKER = """
import asyncio, sys
from pathlib import Path
from hivetui.engine import worker
from hivetui.engine.model.errors import BadData
from hivetui.engine.host.host import Command
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.operations.rollback import RollbackFailed

async def shell(host, progress, request):
    progress.step("shell")
    await progress.run(Command(("sh", "-c", request.note)))

async def refuse(host, progress, request):
    raise BadData("It cannot be", "because of that", "do this")

async def fail_twice(host, progress, request):
    raise RollbackFailed("It did not start", "The rollback failed too", "repair")

async def bug(host, progress, request):
    raise ZeroDivisionError("a bug of ours")

async def flood(host, progress, request):
    for number in range(int(request.note)):
        progress.say(f"line {number}")

actions = {
    OperationKind.REBUILD: shell, OperationKind.SPAWN: refuse, OperationKind.START: bug, OperationKind.STOP: flood,
    OperationKind.RESTART: fail_twice,
}
sys.exit(worker.run(Path(sys.argv[1]), [int(fd) for fd in sys.argv[2:]], actions))
"""

STARTER = """
import os, sys
from pathlib import Path
from hivetui.engine.operations import launch
from hivetui.engine.host.host import Host, Tools
from hivetui.engine.model.operations import OperationRequest
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.settings import Settings

root, script, request = Path(sys.argv[1]), sys.argv[2], OperationRequest.model_validate_json(sys.argv[3])
tools, worker = Tools(systemd_run=None), (sys.executable, script)
host = Host(Paths(root), Settings(), ProcessRunner(), tools, environment=dict(os.environ), worker=worker)
print(launch.start(host, request).id, flush=True)
sys.stdin.read()
"""

OPERATOR = Operator(name="ada", uid=1000, source="local")


def asked(note: str = "true", kind: OperationKind = OperationKind.REBUILD, agent: str = "iris") -> OperationRequest:
    return OperationRequest(kind=kind, agent=agent, operator=OPERATOR, note=note)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "host")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    return path


@pytest.fixture
def host(paths: Paths, script: Path) -> Host:
    return Host(
        paths=paths,
        settings=Settings(),
        runner=ProcessRunner(),
        tools=Tools(systemd_run=None),
        environment=dict(os.environ),
        worker=(sys.executable, str(script)),
    )


async def entries(paths: Paths, number: int) -> list[Entry]:
    return [entry async for batch in launch.follow(paths, number) for entry in batch]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  what is waited for happens in other processes
            await asyncio.sleep(0.01)


def lines(told: list[Entry]) -> list[str]:
    return [entry.text for entry in told if entry.kind is EntryKind.LINE]


def states(told: list[Entry]) -> list[OperationState]:
    return [entry.state for entry in told if entry.state is not None]


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def started_by_another(paths: Paths, script: Path, request: OperationRequest) -> int:
    """Start an operation from a process of its own, which is then killed."""
    argv = (sys.executable, "-c", STARTER, str(paths.root), str(script), request.model_dump_json())
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        number = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
    return number


def unlocked(paths: Paths, number: int) -> bool:
    return locks.is_free(launch.directory_of(paths, number).lock)


async def test_an_operation_tells_its_states_its_steps_its_command_and_its_lines(host: Host) -> None:
    begun = launch.start(host, asked("echo out; echo err >&2"))
    told = await entries(host.paths, begun.id)
    assert begun.state is OperationState.QUEUED
    assert states(told) == [OperationState.QUEUED, OperationState.RUNNING, OperationState.SUCCEEDED]
    assert [entry.text for entry in told if entry.kind is EntryKind.STEP] == ["shell"]
    assert [entry.argv[:2] for entry in told if entry.kind is EntryKind.COMMAND] == [("sh", "-c")]
    assert {(entry.stream, entry.text) for entry in told if entry.kind is EntryKind.LINE} == {
        ("stdout", "out"),
        ("stderr", "err"),
    }
    assert [entry.number for entry in told] == list(range(1, len(told) + 1))


async def test_what_has_ended_is_listed_only_when_asked_for(host: Host) -> None:
    begun = launch.start(host, asked())
    await entries(host.paths, begun.id)
    await until(lambda: unlocked(host.paths, begun.id))
    assert launch.list_operations(host.paths, ended=False) == ()
    [ended] = launch.list_operations(host.paths, ended=True)
    assert (ended.id, ended.state, ended.step, ended.operator) == (begun.id, OperationState.SUCCEEDED, "shell", "ada")
    assert ended.ended_at is not None
    assert ended.ended_at >= ended.started_at


async def test_an_operation_goes_on_when_the_one_who_started_it_is_killed(
    paths: Paths, script: Path, tmp_path: Path
) -> None:
    os.mkfifo(gate := tmp_path / "gate")
    request = asked(f"echo first; read word < {gate}; echo $word")
    number = await asyncio.to_thread(started_by_another, paths, script, request)
    assert launch.read(paths, number).state in (OperationState.QUEUED, OperationState.RUNNING)
    await asyncio.to_thread(gate.write_text, "last\n")
    told = await entries(paths, number)
    assert lines(told) == ["first", "last"]
    assert told[0].state is OperationState.QUEUED
    assert told[-1].state is OperationState.SUCCEEDED


async def test_an_agent_is_held_from_the_start_until_the_end(host: Host, tmp_path: Path) -> None:
    os.mkfifo(gate := tmp_path / "gate")
    begun = launch.start(host, asked(f"read word < {gate}"))
    with pytest.raises(Busy) as refused:
        launch.start(host, asked())
    assert "rebuild of iris by ada" in refused.value.why
    assert f"operation {begun.id} " in refused.value.fix
    other = launch.start(host, asked("echo beside", agent="alice"))
    assert lines(await entries(host.paths, other.id)) == ["beside"]
    await asyncio.to_thread(gate.write_text, "go\n")
    await entries(host.paths, begun.id)
    await until(lambda: locks.is_free(locks.agent_lock(host.paths, "iris")))
    assert launch.start(host, asked()).id > other.id


async def test_a_lock_that_the_caller_has_passes_to_the_worker(host: Host, tmp_path: Path) -> None:
    os.mkfifo(gate := tmp_path / "gate")
    path = locks.agent_lock(host.paths, "iris")
    lock = locks.acquire(path, "approving")
    begun = launch.start(host, asked(f"read word < {gate}"), lock)
    assert lock.fd == -1
    assert not locks.is_free(path)
    await asyncio.to_thread(gate.write_text, "go\n")
    await entries(host.paths, begun.id)
    await until(lambda: locks.is_free(path))


async def test_cancelling_ends_the_grandchildren_and_is_told(host: Host, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    begun = launch.start(host, asked(f"(echo $$ > {pids}; sh -c 'echo $$ >> {pids}; sleep 1000; true') & wait"))
    await until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    launch.cancel(host.paths, begun.id)
    told = await entries(host.paths, begun.id)
    assert told[-1].state is OperationState.CANCELLED
    assert all((stat := process_stat(int(pid))) is None or not stat.is_running for pid in pids.read_text().split())
    with pytest.raises(Stale, match="has ended already"):
        launch.cancel(host.paths, begun.id)


async def test_a_cancel_before_the_worker_has_begun_is_not_lost(host: Host) -> None:
    begun = launch.start(host, asked("sleep 1000"))
    launch.cancel(host.paths, begun.id)
    assert states(await entries(host.paths, begun.id))[-1] is OperationState.CANCELLED


async def test_a_killed_worker_reads_as_interrupted_and_is_settled_once(host: Host) -> None:
    begun = launch.start(host, asked("echo begun; kill -9 $PPID"))
    told = await entries(host.paths, begun.id)
    assert lines(told) in ([], ["begun"])
    assert launch.read(host.paths, begun.id).state is OperationState.INTERRUPTED
    assert [dead.id for dead in launch.dead_operations(host.paths)] == [begun.id]
    [settled] = launch.mark_interrupted(host.paths, host.clock)
    assert settled.id == begun.id
    assert "ended without a word" in (settled.error or "")
    assert launch.dead_operations(host.paths) == launch.mark_interrupted(host.paths, host.clock) == ()
    assert states(await entries(host.paths, begun.id))[-1] is OperationState.INTERRUPTED


async def test_what_a_killed_worker_left_running_is_ended_before_the_next_one_starts(
    host: Host, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    begun = launch.start(host, asked(f"kill -9 $PPID; sleep 1000 & echo $! > {left}; wait"))
    await entries(host.paths, begun.id)
    await until(lambda: left.exists() and left.read_text().endswith("\n"))
    pid = int(left.read_text())
    assert process_stat(pid) is not None
    launch.start(host, asked())
    assert (stat := process_stat(pid)) is None or not stat.is_running


async def test_an_expected_failure_is_told_by_its_three_lines(host: Host) -> None:
    begun = launch.start(host, asked(kind=OperationKind.SPAWN))
    told = await entries(host.paths, begun.id)
    assert told[-1].state is OperationState.FAILED
    assert told[-1].text == "It cannot be\nbecause of that\ndo this"


async def test_a_failed_rollback_is_a_field_of_the_end_and_not_a_word_in_its_text(host: Host) -> None:
    begun = launch.start(host, asked(kind=OperationKind.RESTART))
    assert (await entries(host.paths, begun.id))[-1].rollback_failed
    assert launch.read(host.paths, begun.id).rollback_failed
    other = launch.start(host, asked(kind=OperationKind.SPAWN, agent="alice"))
    assert not (await entries(host.paths, other.id))[-1].rollback_failed
    assert b"rollback_failed" not in launch.directory_of(host.paths, other.id).entries.read_bytes()


async def test_a_program_that_fails_fails_the_operation_with_the_end_of_what_it_said(host: Host) -> None:
    begun = launch.start(host, asked("echo no such thing >&2; exit 3"))
    error = (await entries(host.paths, begun.id))[-1].text
    assert "ended with status 3" in error
    assert "no such thing" in error


async def test_a_bug_is_told_and_its_traceback_is_in_the_log(host: Host) -> None:
    begun = launch.start(host, asked(kind=OperationKind.START))
    told = await entries(host.paths, begun.id)
    assert "bug" in told[-1].text
    assert "ZeroDivisionError" in launch.directory_of(host.paths, begun.id).worker_log.read_text()


async def test_a_worker_that_cannot_start_is_told_as_interrupted_with_what_it_said(host: Host, script: Path) -> None:
    script.write_text("raise SystemExit('no worker here')")
    begun = launch.start(host, asked())
    await entries(host.paths, begun.id)
    assert "no worker here" in (launch.read(host.paths, begun.id).error or "")


@pytest.mark.slow
async def test_two_hundred_thousand_lines_arrive_whole_and_in_order(host: Host) -> None:
    begun = launch.start(host, asked("seq 200000"))
    async with asyncio.timeout(60):
        told = await entries(host.paths, begun.id)
    assert lines(told) == [str(number) for number in range(1, 200_001)]


async def test_every_reader_sees_the_whole_whenever_it_comes_and_however_slow_it_is(host: Host) -> None:
    begun = launch.start(host, asked("20000", kind=OperationKind.STOP))

    async def slow() -> list[Entry]:
        told: list[Entry] = []
        async for batch in launch.follow(host.paths, begun.id):
            told += batch
            await until(lambda: unlocked(host.paths, begun.id))
        return told

    async def leaves() -> None:
        async for _ in launch.follow(host.paths, begun.id):
            return

    at_once, slowly, _ = await asyncio.gather(entries(host.paths, begun.id), slow(), leaves())
    late = await entries(host.paths, begun.id)
    assert at_once == slowly == late
    assert len(lines(late)) == 20_000


async def test_following_after_a_number_gives_only_what_came_later(host: Host) -> None:
    begun = launch.start(host, asked("echo a; echo b"))
    told = await entries(host.paths, begun.id)
    later = [entry async for batch in launch.follow(host.paths, begun.id, 3) for entry in batch]
    assert later == told[3:]
    assert [batch async for batch in launch.follow(host.paths, begun.id, told[-1].number)] == []


async def test_the_event_log_tells_start_change_and_end(host: Host) -> None:
    begun = launch.start(host, asked())
    await entries(host.paths, begun.id)
    await until(lambda: unlocked(host.paths, begun.id))
    told = [(event.kind, event.data["state"], event.operation) for event in event_log.tail(host.paths, 10)]
    assert told == [
        (EventKind.OPERATION_STARTED, "running", begun.id),
        (EventKind.OPERATION_CHANGED, "running", begun.id),
        (EventKind.OPERATION_ENDED, "succeeded", begun.id),
    ]


async def test_the_starter_keeps_no_zombie_and_no_descriptor(host: Host) -> None:
    before = descriptors()
    begun = launch.start(host, asked())
    await entries(host.paths, begun.id)
    await until(lambda: unlocked(host.paths, begun.id))
    assert descriptors() == before
    pid = launch.WorkerProcess.model_validate_json(launch.directory_of(host.paths, begun.id).worker.read_bytes()).pid
    await until(lambda: process_stat(pid) is None)


async def test_a_worker_removes_what_ended_long_ago(host: Host) -> None:
    old = launch.start(host, asked())
    await entries(host.paths, old.id)
    await until(lambda: unlocked(host.paths, old.id))
    long_ago = (datetime.now(UTC) - timedelta(days=91)).timestamp()
    os.utime(launch.directory_of(host.paths, old.id).end, (long_ago, long_ago))
    begun = launch.start(host, asked())
    await entries(host.paths, begun.id)
    await until(lambda: unlocked(host.paths, begun.id))
    assert [operation.id for operation in launch.list_operations(host.paths, ended=True)] == [begun.id]


async def test_only_what_ended_long_ago_is_removed(host: Host) -> None:
    begun = launch.start(host, asked())
    await entries(host.paths, begun.id)
    await until(lambda: unlocked(host.paths, begun.id))
    assert launch.remove_old(host.paths, host.clock, days=90) == ()
    later = datetime.now(UTC) + timedelta(days=91)
    assert launch.remove_old(host.paths, lambda: later, days=90) == (begun.id,)
    with pytest.raises(NotFound):
        launch.read(host.paths, begun.id)
    assert launch.start(host, asked()).id == begun.id + 1


def test_there_is_no_operation_that_never_was(paths: Paths) -> None:
    with pytest.raises(NotFound):
        launch.read(paths, 7)
    assert launch.list_operations(paths, ended=True) == ()


def made(folder: OperationDirectory, most_bytes: int = record.MOST_BYTES) -> Record:
    folder.path.mkdir(parents=True, exist_ok=True)
    operation = Operation(
        id=1,
        kind=OperationKind.REBUILD,
        agent="iris",
        proposal=None,
        state=OperationState.QUEUED,
        step=None,
        started_at=datetime.now(UTC),
        ended_at=None,
        operator="ada",
        error=None,
    )
    return Record(folder, operation, lambda: datetime.now(UTC), most_bytes=most_bytes)


def test_thousands_of_records_are_listed_at_once(paths: Paths) -> None:
    count = 2000
    first = made(OperationDirectory(paths.operations / "1")).operation
    for number in range(1, count + 1):
        folder = launch.directory_of(paths, number)
        folder.path.mkdir(exist_ok=True)
        ended = first.model_copy(update={"id": number, "state": OperationState.SUCCEEDED, "ended_at": first.started_at})
        folder.end.write_text(ended.model_dump_json())
    assert launch.list_operations(paths, ended=False) == ()
    assert [operation.id for operation in launch.list_operations(paths, ended=True)] == list(range(count, 0, -1))
    began = time.monotonic()
    launch.list_operations(paths, ended=True)
    assert time.monotonic() - began < 1


async def test_too_much_output_is_bounded_and_its_end_is_kept(tmp_path: Path) -> None:
    folder = OperationDirectory(tmp_path / "1")
    told = made(folder, most_bytes=1000)
    told.state(OperationState.RUNNING)
    for number in range(100_000):
        told.say(f"line {number}")
    told.state(OperationState.SUCCEEDED)
    told.close()
    read = [entry async for batch in record.follow(folder) for entry in batch]
    assert folder.entries.stat().st_size < 4_000_000
    assert lines(read)[-1] == "line 99999"
    assert any("lines were dropped" in line for line in lines(read))
    assert [entry.number for entry in read] == list(range(1, len(read) + 1))
    assert states(read)[-1] is OperationState.SUCCEEDED


async def test_a_torn_line_is_left_out_and_the_next_one_is_whole(tmp_path: Path) -> None:
    folder = OperationDirectory(tmp_path / "1")
    first = made(folder)
    first.say("before")
    first.close()
    with folder.entries.open("ab") as file:
        file.write(b'{"number": 2, "ti')
    second = made(folder)
    second.say("after")
    second.state(OperationState.SUCCEEDED)
    second.close()
    read = [entry async for batch in record.follow(folder) for entry in batch]
    assert lines(read) == ["before", "after"]
    assert [entry.number for entry in read] == [1, 2, 3]


async def test_lines_reach_the_disk_soon_without_a_step_or_an_end(tmp_path: Path) -> None:
    folder = OperationDirectory(tmp_path / "1")
    told = made(folder)
    told.say("one")
    told.say("two")
    await until(lambda: folder.entries.read_bytes().count(b"\n") == 2)
    told.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    argv = ("mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk))
    if os.geteuid() != 0 or subprocess.run(argv, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs root and the right to mount")
    yield disk
    subprocess.run(("umount", "--lazy", disk), check=True)  # a worker may still be on its way out


@pytest.mark.root
async def test_a_full_disk_stops_no_operation_and_the_record_says_what_is_missing(small_disk: Path) -> None:
    folder = OperationDirectory(small_disk / "1")
    told = made(folder)
    told.state(OperationState.RUNNING)
    (small_disk / "filler").write_bytes(bytes(200 * 1024))
    for number in range(20_000):
        told.say(f"line {number}")
    (small_disk / "filler").unlink()
    told.step("after")
    told.state(OperationState.SUCCEEDED)
    told.close()
    read = [entry async for batch in record.follow(folder) for entry in batch]
    assert any("could not be recorded" in line for line in lines(read))
    assert [entry.text for entry in read if entry.kind is EntryKind.STEP] == ["after"]
    assert states(read)[-1] is OperationState.SUCCEEDED


@pytest.mark.root
async def test_states_and_steps_fit_on_a_disk_that_stays_full(small_disk: Path) -> None:
    folder = OperationDirectory(small_disk / "1")
    told = made(folder)
    for number in range(20_000):
        told.say(f"line {number}")
    told.step("while full")
    told.state(OperationState.FAILED, "the disk is full")
    told.close()
    read = [entry async for batch in record.follow(folder) for entry in batch]
    assert [entry.text for entry in read if entry.kind is EntryKind.STEP] == ["while full"]
    assert any("could not be recorded" in line for line in lines(read))
    assert (read[-1].state, read[-1].text) == (OperationState.FAILED, "the disk is full")


def test_a_place_is_nobody_else_s_before_its_operation_is_begun(host: Host) -> None:
    with launch.reserve(host.paths, "approve 7 by walt") as place:
        story = locks.current_holder(place.folder.lock)
        assert story is not None
        assert (story.what, story.operation) == ("approve 7 by walt", place.number)
        assert launch.mark_interrupted(host.paths, host.clock) == ()
    assert list(host.paths.operations.iterdir()) == []


def test_a_place_whose_holder_was_killed_is_cleared_away(host: Host) -> None:
    with launch.reserve(host.paths, "approve 7 by walt") as place:
        place.taken = True  # so that it is left as a kill leaves it
    assert launch.mark_interrupted(host.paths, host.clock) == ()
    assert list(host.paths.operations.iterdir()) == []


@pytest.mark.root
def test_without_room_for_its_record_no_operation_is_begun(small_disk: Path, host: Host) -> None:
    paths = Paths(small_disk)
    with launch.reserve(paths, "test"):
        (small_disk / "filler").write_bytes(bytes(400 * 1024))
        with pytest.raises(CannotCreate), launch.reserve(paths, "test"):
            pytest.fail("there is no room for two")
    assert launch.list_operations(paths, ended=True) == ()
    assert list(paths.operations.iterdir()) == []


@pytest.mark.root
async def test_an_operation_that_has_its_place_is_begun_and_ends_on_a_full_disk(small_disk: Path, host: Host) -> None:
    host = replace(host, paths=Paths(small_disk))
    with launch.reserve(host.paths, "test") as place:
        with suppress(OSError), (small_disk / "filler").open("wb", buffering=4096) as filler:
            while filler.write(bytes(4096)):
                """Until nothing is left."""
        begun = launch.start(host, asked(), at=place)
    assert begun.id == place.number
    assert states(await entries(host.paths, begun.id))[-1] is OperationState.SUCCEEDED
    assert launch.read(host.paths, begun.id).state is OperationState.SUCCEEDED


def allow_no_other_file(disk: Path) -> None:
    stat = os.statvfs(disk)
    subprocess.run(("mount", "-o", f"remount,nr_inodes={stat.f_files - stat.f_ffree}", disk), check=True)


@pytest.mark.root
async def test_an_operation_is_cancelled_on_a_disk_without_room_for_a_file(small_disk: Path, host: Host) -> None:
    host = replace(host, paths=Paths(small_disk))
    begun = launch.start(host, asked("sleep 100"))
    await until(launch.directory_of(host.paths, begun.id).worker.exists)
    allow_no_other_file(small_disk)
    launch.cancel(host.paths, begun.id)
    assert states(await entries(host.paths, begun.id))[-1] is OperationState.CANCELLED
    assert launch.read(host.paths, begun.id).state is OperationState.CANCELLED


async def test_a_power_cut_gives_the_worker_s_number_to_others_and_they_are_left_alone(host: Host) -> None:
    begun = launch.start(host, asked("kill -9 $PPID"))
    await entries(host.paths, begun.id)
    folder = launch.directory_of(host.paths, begun.id)
    other = await asyncio.create_subprocess_exec("sleep", "100", start_new_session=True)
    try:
        stat = process_stat(other.pid)
        assert stat is not None
        before = launch.WorkerProcess(pid=other.pid, started=stat.started, boot="the one before")
        folder.worker.write_text(before.model_dump_json())
        assert [settled.id for settled in launch.mark_interrupted(host.paths, host.clock)] == [begun.id]
        assert (now := process_stat(other.pid)) is not None
        assert now.state != "Z"
    finally:
        other.kill()
        await other.wait()


async def test_a_record_that_was_removed_since_it_was_listed_is_told_in_words(host: Host) -> None:
    begun = launch.start(host, asked())
    await entries(host.paths, begun.id)
    await until(lambda: bool(launch.list_operations(host.paths, ended=True)))
    assert launch.read(host.paths, begun.id).state.ended
    shutil.rmtree(launch.directory_of(host.paths, begun.id).path)
    with pytest.raises(NotFound, match="gone"):
        await entries(host.paths, begun.id)
