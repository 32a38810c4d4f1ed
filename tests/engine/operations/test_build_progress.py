"""How far the build of an operation has come, in a file beside its record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hivetui.engine.host import locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.progress import BuildProgress, RunningBuild
from hivetui.engine.operations import store
from hivetui.engine.operations.build_progress import find_last_seconds, read_progress
from hivetui.engine.operations.directory import OperationDirectory, directory_of
from hivetui.engine.state.dirty import Dirty
from hivetui.engine.state.watched import operation_directory
from tests.engine.operations.support import open_record, until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def progress(**fields: object) -> BuildProgress:
    return BuildProgress.model_validate({"started_at": NOW, **fields})


@pytest.fixture
def directory(paths: Paths) -> Iterator[OperationDirectory]:
    """That of operation 1, which is at work: its lock is held."""
    found = directory_of(paths, 1)
    found.path.mkdir(parents=True)
    with locks.acquire(found.lock, "a test"):
        yield found


async def test_progress_is_written_at_once_and_then_seldom_and_the_last_of_it_in_any_case(
    directory: OperationDirectory,
) -> None:
    record = open_record(directory)
    record.state(OperationState.RUNNING)
    asked: list[int] = []

    def read(number: int) -> BuildProgress:
        asked.append(number)
        return progress(built=number)

    for number in range(1000):
        record.report_build(lambda number=number: read(number))  # type: ignore[misc]
    assert asked == [0]
    await until(lambda: len(asked) > 1)
    assert (asked, read_progress(directory)) == ([0, 999], progress(built=999))
    record.report_build(lambda: progress(built=7))
    record.step("stop")
    assert read_progress(directory) == progress(built=7)
    record.close()


async def test_progress_that_has_not_changed_is_not_written_again(directory: OperationDirectory) -> None:
    record = open_record(directory)
    record.report_build(progress)
    written = directory.progress.stat()
    record.report_build(progress)
    record.step("stop")
    record.close()
    assert directory.progress.stat().st_ino == written.st_ino


async def test_an_operation_has_its_progress_while_it_runs_and_when_it_has_ended(
    paths: Paths, directory: OperationDirectory
) -> None:
    record = open_record(directory)
    record.state(OperationState.RUNNING)
    record.report_build(lambda: progress(building=1, builds=(RunningBuild(name="x", since=NOW),)))
    assert store.read(paths, 1).progress == read_progress(directory) != None  # noqa: E711
    assert store.list_operations(paths, ended=False)[0].progress is not None
    record.state(OperationState.FAILED, "It was ended in the middle")
    record.close()
    ended = store.read(paths, 1)
    assert ended.progress is not None
    assert (ended.progress.ended_at, ended.progress.building, ended.progress.builds) == (ended.ended_at, 0, ())
    assert store.list_operations(paths, ended=True) == (ended,)


async def test_the_state_of_an_operation_is_written_without_progress(directory: OperationDirectory) -> None:
    """Earlier versions refuse a field that they do not know."""
    record = open_record(directory)
    record.report_build(progress)
    record.state(OperationState.RUNNING)
    record.close()
    assert b"progress" not in directory.now.read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"\xff", b'{"started_at": 7, "x": 1}'])
async def test_a_file_that_a_crash_has_torn_is_no_progress(directory: OperationDirectory, content: bytes) -> None:
    directory.progress.write_bytes(content)
    assert read_progress(directory) is None


async def test_the_last_time_is_that_of_the_last_build_of_the_agent_that_built_something(paths: Paths) -> None:
    def operate(number: int, state: OperationState = OperationState.SUCCEEDED, **fields: object) -> None:
        directory = directory_of(paths, number)
        record = open_record(directory)
        found = progress(ended_at=NOW + timedelta(seconds=number), **fields)
        record.report_build(lambda: found)
        record.state(state, None if state is OperationState.SUCCEEDED else "it failed")
        record.close()

    operate(1, built=3)
    operate(2, built=3)
    operate(3, OperationState.FAILED, built=3)
    operate(4)  # everything was built already
    (paths.operations / "5").mkdir()
    directory = directory_of(paths, 6)
    assert find_last_seconds(directory, "iris") == 2
    assert find_last_seconds(directory, "other") is None
    record = open_record(directory)
    record.report_build(progress)
    record.close()
    assert read_progress(directory) == progress(last_seconds=2)


def test_a_file_of_progress_makes_its_operation_dirty(tmp_path: Path) -> None:
    _, effect = operation_directory(Paths(tmp_path), 7)
    assert effect("progress.json") == Dirty(operations={7})
    assert not effect(".progress.json.x.tmp")
