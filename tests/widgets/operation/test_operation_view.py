from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from hivetui.engine.model.operations import Entry, EntryKind, OperationState
from hivetui.widgets.operation.operation_view import OperationView
from hivetui.widgets.operation.steps import format_duration
from tests.widgets.conftest import HOSTILE, Staged, assert_harmless, painted, until

START = datetime(2026, 1, 1, tzinfo=UTC)


class Record:
    """Entries of an operation, a second apart."""

    def __init__(self) -> None:
        self._numbers = count()

    def entry(self, kind: EntryKind, text: str = "", **fields: object) -> Entry:
        number = next(self._numbers)
        time = START + timedelta(seconds=number)
        return Entry.model_validate({"number": number, "time": time, "kind": kind, "text": text, **fields})

    def line(self, text: str, stream: str = "stdout") -> Entry:
        return self.entry(EntryKind.LINE, text, stream=stream)

    def failing(self) -> list[Entry]:
        lines = [self.line(f"building part {number}") for number in range(50)]
        lines += [self.line("error: builder for 'x.drv' failed", "stderr")]
        lines += [self.line(f"cleaning up {number}") for number in range(50)]
        end = self.entry(EntryKind.STATE, "The build failed.\nIts builder ended with 1.", state=OperationState.FAILED)
        return [
            self.entry(EntryKind.STATE, state=OperationState.RUNNING),
            self.entry(EntryKind.STEP, "build"),
            *lines,
            end,
        ]


def view() -> OperationView:
    return OperationView(clock=lambda: START + timedelta(seconds=10))


async def test_steps_have_glyphs_and_times(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation) as pilot:
        operation.feed(
            [record.entry(EntryKind.STATE, state=OperationState.RUNNING), record.entry(EntryKind.STEP, "build")]
        )
        operation.feed([record.line("one"), record.entry(EntryKind.STEP, "start")])
        steps = operation.steps_view
        await until(pilot, lambda: painted(steps) == ["✔   2.0 s  build", "▶   7.0 s  start"])
        operation.feed([record.entry(EntryKind.STATE, state=OperationState.SUCCEEDED)])
        await until(pilot, lambda: painted(steps)[1] == "✔   1.0 s  start")


async def test_streams_are_told_apart_without_colour(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation) as pilot:
        operation.feed([record.line("out"), record.line("err", "stderr"), record.line("own", "engine")])
        await until(pilot, lambda: len([line for line in painted(operation.output) if line]) == 4)
        rows = [line.split()[1:] for line in painted(operation.output)[:3]]
        assert rows == [["out", "out"], ["err", "err"], ["•", "own"]]


async def test_a_failed_operation_shows_its_first_error(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation, size=(80, 20)) as pilot:
        operation.feed(record.failing())
        await until(pilot, lambda: any("error: builder" in line for line in painted(operation.output)))
        assert operation.error == "The build failed.\nIts builder ended with 1."
        assert not operation.output.following


async def test_a_view_that_a_person_moved_does_not_jump_to_the_error(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation, size=(80, 20)) as pilot:
        entries = record.failing()
        operation.feed(entries[:40])
        await until(pilot, lambda: painted(operation.output)[0])
        operation.output.action_first()
        operation.feed(entries[40:])
        await pilot.pause(0.1)
        assert operation.output.top == 0


async def test_commands_are_shown_on_request(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation) as pilot:
        operation.feed([record.entry(EntryKind.COMMAND, argv=("nix", "build", "a b")), record.line("out")])
        await until(pilot, lambda: "out" in painted(operation.output)[0])
        operation.action_toggle_commands()
        await until(pilot, lambda: "$     · nix build 'a b'" in painted(operation.output)[0])
        operation.action_toggle_commands()
        await until(pilot, lambda: "out" in painted(operation.output)[0])


async def test_the_status_line_counts_hidden_commands_and_says_when_the_operation_has_ended(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation) as pilot:
        operation.feed([record.entry(EntryKind.COMMAND, argv=("true",)), record.line("one"), record.line("two")])
        await until(pilot, lambda: "2 lines, 1 command hidden (i)" in painted(operation.output)[-1])
        operation.feed([record.entry(EntryKind.STATE, state=OperationState.SUCCEEDED)])
        await until(pilot, lambda: painted(operation.output)[-1].startswith("ended  3 lines, 1 command hidden (i)"))
        operation.action_toggle_commands()
        await until(pilot, lambda: "4 lines" in painted(operation.output)[-1])


async def test_what_nix_writes_while_it_builds_is_not_called_an_error(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation) as pilot:
        operation.feed([record.entry(EntryKind.STEP, "build"), record.line("building x.drv", "stderr")])
        operation.feed([record.entry(EntryKind.STEP, "start"), record.line("no bus", "stderr")])
        await until(pilot, lambda: "no bus" in painted(operation.output)[3])
        assert [painted(operation.output)[row].split()[1] for row in (1, 3)] == ["build", "err"]


async def test_errors_are_found_by_a_key(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation, size=(80, 10)) as pilot:
        texts = ["fine", "error: one"] + ["fine"] * 50 + ["fatal: two"]
        operation.feed([record.line(text) for text in texts])
        operation.action_next_error()
        await until(pilot, lambda: operation.output.current_match == 1)
        operation.action_next_error()
        await until(pilot, lambda: operation.output.current_match == 52)


async def test_bytes_cut_by_the_writer_are_counted(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation) as pilot:
        operation.feed([record.entry(EntryKind.LINE, "long", stream="stdout", cut=1234)])
        await until(pilot, lambda: "long… (+1234 bytes)" in painted(operation.output)[0])


async def test_hostile_output_does_no_harm(stage: Staged) -> None:
    operation, record = view(), Record()
    async with stage(operation, size=(100, 40)) as pilot:
        entries = [record.entry(EntryKind.STEP, text) for text in HOSTILE]
        entries += [record.line(text, "stderr") for text in HOSTILE]
        entries += [record.entry(EntryKind.COMMAND, argv=HOSTILE)]
        entries += [record.entry(EntryKind.STATE, "\n".join(HOSTILE), state=OperationState.FAILED)]
        operation.feed(entries)
        operation.action_toggle_commands()
        for _ in range(3):
            await pilot.pause(0.04)
            assert_harmless(operation.output)
            assert_harmless(operation.steps_view)
            operation.output.action_page_up()


@pytest.mark.parametrize(
    ("rollback_failed", "last"), [(False, OperationState.SUCCEEDED), (True, OperationState.FAILED)]
)
async def test_a_rollback_step_succeeds_unless_the_rollback_failed(
    stage: Staged, rollback_failed: bool, last: OperationState
) -> None:
    shown, record = view(), Record()
    async with stage(shown):
        steps = [record.entry(EntryKind.STEP, name) for name in ("switch", "health", "put back")]
        end = record.entry(
            EntryKind.STATE, "It did not start", state=OperationState.FAILED, rollback_failed=rollback_failed
        )
        shown.feed([*steps, end])
        assert [step.state for step in shown.steps] == [OperationState.SUCCEEDED, OperationState.FAILED, last]


def test_durations_are_read_at_a_glance() -> None:
    assert [format_duration(seconds) for seconds in (0.25, 59.94, 61, 3725)] == ["0.2 s", "59.9 s", "1:01", "1:02:05"]
