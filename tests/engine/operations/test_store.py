import asyncio
import json
import os
import shutil
import time
from datetime import UTC, datetime, timedelta

import pytest

from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import NotFound
from hivetui.engine.model.operations import (
    Entry,
    OperationKind,
    OperationState,
)
from hivetui.engine.operations import launch, store
from hivetui.engine.operations.directory import OperationDirectory, directory_of
from tests.engine.operations.support import lines, make_request, open_record, read_entries, unlocked, until


async def test_ended_operations_are_listed_only_on_request(host: Host) -> None:
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    await until(lambda: unlocked(host.paths, operation.id))
    assert store.list_operations(host.paths, ended=False) == ()
    [ended] = store.list_operations(host.paths, ended=True)
    assert (ended.id, ended.state, ended.step, ended.operator) == (
        operation.id,
        OperationState.SUCCEEDED,
        "shell",
        "ada",
    )
    assert ended.ended_at is not None
    assert ended.ended_at >= ended.started_at


@pytest.mark.slow
async def test_two_hundred_thousand_lines_arrive_complete_and_in_order(host: Host) -> None:
    operation = launch.start(host, make_request("seq 200000"))
    async with asyncio.timeout(60):
        entries = await read_entries(host.paths, operation.id)
    assert lines(entries) == [str(number) for number in range(1, 200_001)]


async def test_every_reader_gets_the_complete_record_whenever_it_starts_and_however_slow_it_is(host: Host) -> None:
    operation = launch.start(host, make_request("20000", kind=OperationKind.STOP))

    async def slow() -> list[Entry]:
        entries: list[Entry] = []
        async for batch in store.follow(host.paths, operation.id):
            entries += batch
            await until(lambda: unlocked(host.paths, operation.id))
        return entries

    async def leaves() -> None:
        async for _ in store.follow(host.paths, operation.id):
            return

    at_once, slowly, _ = await asyncio.gather(read_entries(host.paths, operation.id), slow(), leaves())
    late = await read_entries(host.paths, operation.id)
    assert at_once == slowly == late
    assert len(lines(late)) == 20_000


async def test_following_after_a_number_gives_only_what_came_later(host: Host) -> None:
    operation = launch.start(host, make_request("echo a; echo b"))
    entries = await read_entries(host.paths, operation.id)
    later = [entry async for batch in store.follow(host.paths, operation.id, 3) for entry in batch]
    assert later == entries[3:]
    assert [batch async for batch in store.follow(host.paths, operation.id, entries[-1].number)] == []


async def test_a_worker_removes_expired_records(host: Host) -> None:
    old = launch.start(host, make_request())
    await read_entries(host.paths, old.id)
    await until(lambda: unlocked(host.paths, old.id))
    long_ago = (datetime.now(UTC) - timedelta(days=91)).timestamp()
    os.utime(directory_of(host.paths, old.id).end, (long_ago, long_ago))
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    await until(lambda: unlocked(host.paths, operation.id))
    assert [operation.id for operation in store.list_operations(host.paths, ended=True)] == [operation.id]


async def test_only_expired_records_are_removed(host: Host) -> None:
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    await until(lambda: unlocked(host.paths, operation.id))
    assert store.remove_old(host.paths, host.clock, days=90) == ()
    later = datetime.now(UTC) + timedelta(days=91)
    assert store.remove_old(host.paths, lambda: later, days=90) == (operation.id,)
    with pytest.raises(NotFound):
        store.read(host.paths, operation.id)
    assert launch.start(host, make_request()).id == operation.id + 1


def test_an_unknown_operation_is_not_found(paths: Paths) -> None:
    with pytest.raises(NotFound):
        store.read(paths, 7)
    assert store.list_operations(paths, ended=True) == ()


@pytest.mark.slow
def test_thousands_of_records_are_listed_at_once(paths: Paths) -> None:
    count = 2000
    first = open_record(OperationDirectory(paths.operations / "1")).operation
    for number in range(1, count + 1):
        directory = directory_of(paths, number)
        directory.path.mkdir(exist_ok=True)
        ended = first.model_copy(update={"id": number, "state": OperationState.SUCCEEDED, "ended_at": first.started_at})
        directory.end.write_text(ended.model_dump_json())
    assert store.list_operations(paths, ended=False) == ()
    assert [operation.id for operation in store.list_operations(paths, ended=True)] == list(range(count, 0, -1))
    began = time.monotonic()
    store.list_operations(paths, ended=True)
    assert time.monotonic() - began < 1


async def test_a_record_that_was_removed_since_it_was_listed_is_not_found(host: Host) -> None:
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    await until(lambda: bool(store.list_operations(host.paths, ended=True)))
    assert store.read(host.paths, operation.id).state.ended
    shutil.rmtree(directory_of(host.paths, operation.id).path)
    with pytest.raises(NotFound, match="was removed"):
        await read_entries(host.paths, operation.id)


async def test_a_request_with_settings_of_another_version_can_be_read(host: Host) -> None:
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    directory = directory_of(host.paths, operation.id)
    content = json.loads(directory.request.read_bytes())
    content["settings"]["satellites"] = {"lab": {"address": "root@lab:22"}}
    directory.request.write_text(json.dumps(content))
    assert directory.read_request().settings == host.settings


@pytest.mark.parametrize(("ended_at", "expected"), [("2026-11-20T08:00:00Z", True), ("2026-12-20T08:00:00Z", False)])
async def test_only_an_old_record_says_in_its_text_that_a_rollback_failed(
    host: Host, ended_at: str, expected: bool
) -> None:
    operation = launch.start(host, make_request())
    await read_entries(host.paths, operation.id)
    end = directory_of(host.paths, operation.id).end
    await until(end.exists)
    error = "It did not start\nTaking it back failed too: no more space\nRepair it"
    end.write_text(json.dumps(json.loads(end.read_bytes()) | {"ended_at": ended_at, "error": error, "state": "failed"}))
    assert store.read(host.paths, operation.id).rollback_failed is expected
