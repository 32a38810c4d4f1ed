import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from hivetui.engine.host import locks
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.procfs import process_stat
from hivetui.engine.model.errors import Busy, CannotCreate, Stale
from hivetui.engine.model.events import EventKind
from hivetui.engine.model.operations import (
    EntryKind,
    OperationKind,
    OperationState,
)
from hivetui.engine.operations import interrupted, launch, store
from hivetui.engine.operations.directory import WorkerProcess, directory_of
from tests.engine.operations.support import (
    allow_no_other_file,
    descriptors,
    lines,
    make_request,
    read_entries,
    started_by_another,
    states,
    unlocked,
    until,
)
from tests.event_log import last_events


async def test_a_record_has_the_states_steps_commands_and_lines_of_the_operation(host: Host) -> None:
    operation = launch.start(host, make_request("echo out; echo err >&2"))
    record = await read_entries(host.paths, operation.id)
    assert operation.state is OperationState.QUEUED
    assert states(record) == [OperationState.QUEUED, OperationState.RUNNING, OperationState.SUCCEEDED]
    assert [entry.text for entry in record if entry.kind is EntryKind.STEP] == ["shell"]
    assert [entry.argv[:2] for entry in record if entry.kind is EntryKind.COMMAND] == [("sh", "-c")]
    assert {(entry.stream, entry.text) for entry in record if entry.kind is EntryKind.LINE} == {
        ("stdout", "out"),
        ("stderr", "err"),
    }
    assert [entry.number for entry in record] == list(range(1, len(record) + 1))


async def test_an_operation_goes_on_when_the_process_that_started_it_is_killed(
    paths: Paths, script: Path, tmp_path: Path
) -> None:
    os.mkfifo(gate := tmp_path / "gate")
    request = make_request(f"echo first; read word < {gate}; echo $word")
    number = await asyncio.to_thread(started_by_another, paths, script, request)
    assert store.read(paths, number).state in (OperationState.QUEUED, OperationState.RUNNING)
    await asyncio.to_thread(gate.write_text, "last\n")
    record = await read_entries(paths, number)
    assert lines(record) == ["first", "last"]
    assert record[0].state is OperationState.QUEUED
    assert record[-1].state is OperationState.SUCCEEDED


async def test_the_agent_is_locked_from_the_start_until_the_end(host: Host, tmp_path: Path) -> None:
    os.mkfifo(gate := tmp_path / "gate")
    operation = launch.start(host, make_request(f"read word < {gate}"))
    with pytest.raises(Busy) as refused:
        launch.start(host, make_request())
    assert "rebuild of iris by ada" in refused.value.why
    assert f"operation {operation.id} -f" in refused.value.fix
    other = launch.start(host, make_request("echo beside", agent="alice"))
    assert lines(await read_entries(host.paths, other.id)) == ["beside"]
    await asyncio.to_thread(gate.write_text, "go\n")
    await read_entries(host.paths, operation.id)
    await until(lambda: locks.is_free(locks.agent_lock(host.paths, "iris")))
    assert launch.start(host, make_request()).id > other.id


async def test_a_lock_that_the_caller_holds_passes_to_the_worker(host: Host, tmp_path: Path) -> None:
    os.mkfifo(gate := tmp_path / "gate")
    path = locks.agent_lock(host.paths, "iris")
    lock = locks.acquire(path, "approving")
    operation = launch.start(host, make_request(f"read word < {gate}"), lock)
    assert lock.fd == -1
    assert not locks.is_free(path)
    await asyncio.to_thread(gate.write_text, "go\n")
    await read_entries(host.paths, operation.id)
    await until(lambda: locks.is_free(path))


async def test_cancelling_ends_the_grandchildren_and_is_recorded(host: Host, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    operation = launch.start(
        host, make_request(f"(echo $$ > {pids}; sh -c 'echo $$ >> {pids}; sleep 1000; true') & wait")
    )
    await until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    launch.cancel(host.paths, operation.id)
    record = await read_entries(host.paths, operation.id)
    assert record[-1].state is OperationState.CANCELLED
    assert all((stat := process_stat(int(pid))) is None or not stat.is_running for pid in pids.read_text().split())
    with pytest.raises(Stale, match="has already ended"):
        launch.cancel(host.paths, operation.id)


async def test_a_cancellation_before_the_worker_has_started_is_not_lost(host: Host) -> None:
    operation = launch.start(host, make_request("sleep 1000"))
    launch.cancel(host.paths, operation.id)
    assert states(await read_entries(host.paths, operation.id))[-1] is OperationState.CANCELLED


async def test_an_expected_failure_is_recorded_with_message_reason_and_fix(host: Host) -> None:
    operation = launch.start(host, make_request(kind=OperationKind.SPAWN))
    record = await read_entries(host.paths, operation.id)
    assert record[-1].state is OperationState.FAILED
    assert record[-1].text == "It cannot be\nbecause of that\ndo this"


async def test_a_failed_rollback_is_a_field_of_the_end(host: Host) -> None:
    operation = launch.start(host, make_request(kind=OperationKind.RESTART))
    assert (await read_entries(host.paths, operation.id))[-1].rollback_failed
    assert store.read(host.paths, operation.id).rollback_failed
    other = launch.start(host, make_request(kind=OperationKind.SPAWN, agent="alice"))
    assert not (await read_entries(host.paths, other.id))[-1].rollback_failed
    assert b"rollback_failed" not in directory_of(host.paths, other.id).entries.read_bytes()


async def test_a_program_that_fails_fails_the_operation_with_the_end_of_its_output(host: Host) -> None:
    operation = launch.start(host, make_request("echo no such thing >&2; exit 3"))
    error = (await read_entries(host.paths, operation.id))[-1].text
    assert "ended with status 3" in error
    assert "no such thing" in error


async def test_a_bug_is_recorded_and_its_traceback_is_in_the_log(host: Host) -> None:
    operation = launch.start(host, make_request(kind=OperationKind.START))
    record = await read_entries(host.paths, operation.id)
    assert "bug" in record[-1].text
    assert "ZeroDivisionError" in directory_of(host.paths, operation.id).worker_log.read_text()


async def test_the_event_log_has_the_start_the_change_and_the_end(host: Host) -> None:
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    await until(lambda: unlocked(host.paths, operation.id))
    record = [(event.kind, event.data["state"], event.operation) for event in last_events(host.paths, 10)]
    assert record == [
        (EventKind.OPERATION_STARTED, "running", operation.id),
        (EventKind.OPERATION_CHANGED, "running", operation.id),
        (EventKind.OPERATION_ENDED, "succeeded", operation.id),
    ]


async def test_the_starter_keeps_no_zombie_and_no_descriptor(host: Host) -> None:
    before = descriptors()
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    await until(lambda: unlocked(host.paths, operation.id))
    assert descriptors() == before
    pid = WorkerProcess.model_validate_json(directory_of(host.paths, operation.id).worker.read_bytes()).pid
    await until(lambda: process_stat(pid) is None)


def test_a_reservation_is_locked_before_its_operation_starts(host: Host) -> None:
    with launch.reserve(host.paths, "approve 7 by walt") as reservation:
        holder = locks.current_holder(reservation.directory.lock)
        assert holder is not None
        assert (holder.what, holder.operation) == ("approve 7 by walt", reservation.number)
        assert interrupted.mark_interrupted(host.paths, host.clock) == ()
    assert list(host.paths.operations.iterdir()) == []


@pytest.mark.root
def test_no_operation_starts_without_disk_space_for_its_record(small_disk: Path, host: Host) -> None:
    paths = Paths(small_disk)
    with launch.reserve(paths, "test"):
        (small_disk / "filler").write_bytes(bytes(400 * 1024))
        with pytest.raises(CannotCreate), launch.reserve(paths, "test"):
            pytest.fail("there is no room for two")
    assert store.list_operations(paths, ended=True) == ()
    assert list(paths.operations.iterdir()) == []


@pytest.mark.root
async def test_a_reserved_operation_starts_and_ends_on_a_full_disk(small_disk: Path, host: Host) -> None:
    host = replace(host, paths=Paths(small_disk))
    with launch.reserve(host.paths, "test") as reservation:
        with suppress(OSError), (small_disk / "filler").open("wb", buffering=4096) as filler:
            while filler.write(bytes(4096)):
                """Until nothing is left."""
        operation = launch.start(host, make_request(), reservation=reservation)
    assert operation.id == reservation.number
    assert states(await read_entries(host.paths, operation.id))[-1] is OperationState.SUCCEEDED
    assert store.read(host.paths, operation.id).state is OperationState.SUCCEEDED


@pytest.mark.root
async def test_an_operation_can_be_cancelled_on_a_disk_without_inodes(small_disk: Path, host: Host) -> None:
    host = replace(host, paths=Paths(small_disk))
    operation = launch.start(host, make_request("sleep 100"))
    await until(directory_of(host.paths, operation.id).worker.exists)
    allow_no_other_file(small_disk)
    launch.cancel(host.paths, operation.id)
    assert states(await read_entries(host.paths, operation.id))[-1] is OperationState.CANCELLED
    assert store.read(host.paths, operation.id).state is OperationState.CANCELLED
