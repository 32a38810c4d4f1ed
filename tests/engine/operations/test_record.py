from pathlib import Path

import pytest

from hivetui.engine.host.host import Command
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.operations import (
    EntryKind,
    OperationState,
)
from hivetui.engine.operations import entries
from hivetui.engine.operations.directory import OperationDirectory
from tests.engine.operations.support import lines, open_record, states, until


async def test_output_beyond_the_limit_is_dropped_but_for_its_end(tmp_path: Path) -> None:
    directory = OperationDirectory(tmp_path / "1")
    record = open_record(directory, most_bytes=1000)
    record.state(OperationState.RUNNING)
    for number in range(100_000):
        record.say(f"line {number}")
    record.state(OperationState.SUCCEEDED)
    record.close()
    read = [entry async for batch in entries.follow(directory) for entry in batch]
    assert directory.entries.stat().st_size < 4_000_000
    assert lines(read)[-1] == "line 99999"
    assert any("Lines dropped: " in line for line in lines(read))
    assert [entry.number for entry in read] == list(range(1, len(read) + 1))
    assert states(read)[-1] is OperationState.SUCCEEDED


async def test_a_torn_line_is_left_out_and_the_next_one_is_intact(tmp_path: Path) -> None:
    directory = OperationDirectory(tmp_path / "1")
    first = open_record(directory)
    first.say("before")
    first.close()
    with directory.entries.open("ab") as file:
        file.write(b'{"number": 2, "ti')
    second = open_record(directory)
    second.say("after")
    second.state(OperationState.SUCCEEDED)
    second.close()
    read = [entry async for batch in entries.follow(directory) for entry in batch]
    assert lines(read) == ["before", "after"]
    assert [entry.number for entry in read] == [1, 2, 3]


async def test_lines_reach_the_disk_soon_without_a_step_or_an_end(tmp_path: Path) -> None:
    directory = OperationDirectory(tmp_path / "1")
    record = open_record(directory)
    record.say("one")
    record.say("two")
    await until(lambda: directory.entries.read_bytes().count(b"\n") == 2)
    record.close()


@pytest.mark.root
async def test_a_full_disk_stops_no_operation_and_the_record_says_what_is_missing(small_disk: Path) -> None:
    directory = OperationDirectory(small_disk / "1")
    record = open_record(directory)
    record.state(OperationState.RUNNING)
    (small_disk / "filler").write_bytes(bytes(200 * 1024))
    for number in range(20_000):
        record.say(f"line {number}")
    (small_disk / "filler").unlink()
    record.step("after")
    record.state(OperationState.SUCCEEDED)
    record.close()
    read = [entry async for batch in entries.follow(directory) for entry in batch]
    assert any("could not be recorded" in line for line in lines(read))
    assert [entry.text for entry in read if entry.kind is EntryKind.STEP] == ["after"]
    assert states(read)[-1] is OperationState.SUCCEEDED


@pytest.mark.root
async def test_states_and_steps_fit_on_a_disk_that_stays_full(small_disk: Path) -> None:
    directory = OperationDirectory(small_disk / "1")
    record = open_record(directory)
    for number in range(20_000):
        record.say(f"line {number}")
    record.step("while full")
    record.state(OperationState.FAILED, "the disk is full")
    record.close()
    read = [entry async for batch in entries.follow(directory) for entry in batch]
    assert [entry.text for entry in read if entry.kind is EntryKind.STEP] == ["while full"]
    assert any("could not be recorded" in line for line in lines(read))
    assert (read[-1].state, read[-1].text) == (OperationState.FAILED, "the disk is full")


async def test_bytes_that_are_not_text_are_kept_exactly_and_told_from_letters_that_look_so(tmp_path: Path) -> None:
    directory = OperationDirectory(tmp_path / "1")
    record = open_record(directory)
    record.runner = ProcessRunner()
    await record.run(Command(("sh", "-c", "printf 'a\\366b\\n\\\\xf6\\nlast\\n'", "\udcf6")))
    record.state(OperationState.SUCCEEDED)
    record.close()
    read = [entry async for batch in entries.follow(directory) for entry in batch]
    assert lines(read) == ["a\udcf6b", "\\xf6", "last"]
    assert read[0].argv[-1] == "‹\\xf6›"
    assert [entry.number for entry in read] == list(range(1, len(read) + 1))
