import asyncio
from pathlib import Path

from hivetui.engine.host.host import Host
from hivetui.engine.host.procfs import process_stat
from hivetui.engine.model.operations import (
    OperationState,
)
from hivetui.engine.operations import interrupted, launch, store
from hivetui.engine.operations.directory import WorkerProcess, directory_of
from tests.engine.operations.support import lines, make_request, read_entries, states, until


async def test_the_operation_of_a_killed_worker_reads_as_interrupted_and_is_marked_once(host: Host) -> None:
    operation = launch.start(host, make_request("echo begun; kill -9 $PPID"))
    record = await read_entries(host.paths, operation.id)
    assert lines(record) in ([], ["begun"])
    assert store.read(host.paths, operation.id).state is OperationState.INTERRUPTED
    assert [dead.id for dead in interrupted.dead_operations(host.paths)] == [operation.id]
    [settled] = interrupted.mark_interrupted(host.paths, host.clock)
    assert settled.id == operation.id
    assert "ended without a result" in (settled.error or "")
    assert interrupted.dead_operations(host.paths) == interrupted.mark_interrupted(host.paths, host.clock) == ()
    assert states(await read_entries(host.paths, operation.id))[-1] is OperationState.INTERRUPTED


async def test_what_a_killed_worker_left_running_is_killed_before_the_next_one_starts(
    host: Host, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    operation = launch.start(host, make_request(f"kill -9 $PPID; sleep 1000 & echo $! > {left}; wait"))
    await read_entries(host.paths, operation.id)
    await until(lambda: left.exists() and left.read_text().endswith("\n"))
    pid = int(left.read_text())
    assert process_stat(pid) is not None
    launch.start(host, make_request())
    assert (stat := process_stat(pid)) is None or not stat.is_running


async def test_a_worker_that_cannot_start_reads_as_interrupted_with_its_output(host: Host, script: Path) -> None:
    script.write_text("raise SystemExit('no worker here')")
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    assert "no worker here" in (store.read(host.paths, operation.id).error or "")


def test_a_reservation_whose_holder_was_killed_is_removed(host: Host) -> None:
    with launch.reserve(host.paths, "approve 7 by walt") as reservation:
        reservation.is_used = True  # so that it is left behind, as by a kill
    assert interrupted.mark_interrupted(host.paths, host.clock) == ()
    assert list(host.paths.operations.iterdir()) == []


async def test_after_a_reboot_a_process_with_the_pid_of_the_worker_is_left_alone(host: Host) -> None:
    operation = launch.start(host, make_request("kill -9 $PPID"))
    await read_entries(host.paths, operation.id)
    directory = directory_of(host.paths, operation.id)
    other = await asyncio.create_subprocess_exec("sleep", "100", start_new_session=True)
    try:
        stat = process_stat(other.pid)
        assert stat is not None
        before = WorkerProcess(pid=other.pid, started=stat.started, boot="the one before")
        directory.worker.write_text(before.model_dump_json())
        assert [settled.id for settled in interrupted.mark_interrupted(host.paths, host.clock)] == [operation.id]
        assert (now := process_stat(other.pid)) is not None
        assert now.state != "Z"
    finally:
        other.kill()
        await other.wait()
