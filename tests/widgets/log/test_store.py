from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from hivetui.engine.model.logs import LogLine
from hivetui.widgets.log.store import LONGEST, LogStore, Source

START = datetime(2026, 1, 1, tzinfo=UTC)


def log_line(second: float, text: str = "", agent: str = "ada", stream: str = "stdout") -> LogLine:
    return LogLine(START + timedelta(seconds=second), agent, stream, text or f"at {second}")


def texts(store: LogStore) -> list[str]:
    return [store.line(number).raw.decode() for number in range(store.first, store.end)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_however_the_chunks_are_cut(size: int) -> None:
    data = b"one\n\ntwo\nthree\n\n\nfour"
    store = LogStore()
    for start in range(0, len(data), size):
        store.feed_bytes(data[start : start + size])
    store.finish()
    assert texts(store) == ["one", "", "two", "three", "", "", "four"]


def test_an_unterminated_line_is_not_counted_until_the_stream_ends() -> None:
    store = LogStore()
    assert store.feed_bytes(b"half") == 0
    assert store.end == 0
    assert store.finish() == 1
    assert texts(store) == ["half"]


def test_an_endless_line_is_kept_in_part_and_the_bytes_cut_are_counted() -> None:
    store = LogStore()
    for _ in range(100):
        store.feed_bytes(b"x" * 10_000)
    store.feed_bytes(b"y\nnext\n")
    line = store.line(0)
    assert len(line.raw) == LONGEST
    assert line.cut == 1_000_001 - LONGEST
    assert store.line(1).raw == b"next"


def test_old_lines_are_dropped_and_the_others_keep_their_numbers() -> None:
    store = LogStore(limit=10_000)
    for number in range(100_000):
        store.feed_bytes(b"line %d\n" % number)
    assert 10_000 <= store.end - store.first < 20_000
    assert store.line(store.first).raw == b"line %d" % store.first
    assert store.end == 100_000
    with pytest.raises(IndexError):
        store.line(store.first - 1)


def test_a_clock_that_is_set_back_reorders_no_line() -> None:
    store = LogStore()
    store.feed_lines([log_line(7200), log_line(3600)])
    store.feed_lines([log_line(3601, agent="bob"), log_line(7199)])
    assert texts(store) == ["at 7200", "at 3600", "at 3601", "at 7199"]
    assert store.line(2).source == Source("bob", "stdout")


def test_a_line_feed_within_a_line_does_not_split_it() -> None:
    store = LogStore()
    store.feed_lines([log_line(1, "a\nb")])
    assert texts(store) == ["a\\nb"]


def test_a_store_can_hold_both_output_and_lines_of_the_engine() -> None:
    store = LogStore()
    store.feed_bytes(b"raw\n")
    store.feed_lines([log_line(1)])
    store.feed_bytes(b"raw again\n")
    assert texts(store) == ["raw", "at 1", "raw again"]
    assert store.line(2).time is None


def test_blocks_give_every_line_once_forwards_and_backwards() -> None:
    store = LogStore()
    for number in range(20_000):
        store.feed_bytes(b"%d\n" % number)
    forwards = [raw for _, raws, _ in store.blocks(5, 19_990) for raw in raws]
    backwards = [raw for _, raws, _ in store.blocks_back(5, 19_990) for raw in reversed(raws)]
    assert forwards == [b"%d" % number for number in range(5, 19_990)]
    assert backwards == forwards[::-1]


def test_a_million_lines_take_little_more_than_their_bytes() -> None:
    chunk = b"".join(
        b"2026-01-01T00:00:00 agent iris says line %06d of very many, as agents do\n" % n for n in range(4000)
    )
    tracemalloc.start()
    store = LogStore()
    for _ in range(250):
        store.feed_bytes(chunk)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert store.end == 1_000_000
    assert size < 1.02 * 250 * len(chunk) < 128 * 2**20
