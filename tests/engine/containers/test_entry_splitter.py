"""Splitting the output of journalctl into entries, and shortening one that is too long."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from hivetui.engine.containers.entry_splitter import MAX_ENTRY_BYTES, EntrySplitter
from hivetui.engine.containers.journal import Journal, parse_entries
from hivetui.engine.model.logs import LogLine

JOURNAL = Journal((), units={"container@h-a.service": "a", "container@h-b.service": "b"})
UNIT = {"_SYSTEMD_UNIT": "container@h-a.service"}
TIME = {"__REALTIME_TIMESTAMP": "1000001"}
LONG = "é" * MAX_ENTRY_BYTES


def split(data: bytes, size: int) -> list[bytes]:
    splitter = EntrySplitter()
    return [entry for at in range(0, len(data), size) for entry in splitter.split(data[at : at + size])]


def read(fields: Mapping[str, object], size: int = 4096) -> LogLine:
    """The one line of an entry that is written in the order of these fields, with another before and after it."""
    raw = json.dumps(fields, ensure_ascii=False).encode() + b"\n"
    first, entry, last = split(b"first\n" + raw + b"last\n", size)
    assert (first, last) == (b"first", b"last")
    (line,) = parse_entries([entry], JOURNAL)
    return line


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_entries_are_complete_wherever_the_output_is_cut(size: int) -> None:
    assert split(b"one\ntwo\n\nthree\nto", size) == [b"one", b"two", b"", b"three"]


@pytest.mark.parametrize("size", [1000, 256 * 1024, 1 << 24])
@pytest.mark.parametrize("message", [LONG, list(LONG.encode()), '\\"' + LONG, "\x1b" * MAX_ENTRY_BYTES])
def test_a_long_entry_is_cut_to_its_beginning_and_its_size(size: int, message: object) -> None:
    line = read(TIME | UNIT | {"SYSLOG_IDENTIFIER": "me", "MESSAGE": message}, size)
    whole = message if isinstance(message, str) else LONG
    assert (line.agent, line.stream, line.text[:1000]) == ("a", "me", whole[:1000])
    assert "entry of" in line.text
    assert len(line.text.encode("utf-8", "surrogateescape")) < 4096


@pytest.mark.parametrize(
    "fields",
    [
        {"MESSAGE": LONG} | UNIT | TIME,
        {"SYSLOG_IDENTIFIER": LONG} | UNIT | TIME | {"MESSAGE": LONG},
        UNIT | {"MESSAGE": LONG, "SYSLOG_IDENTIFIER": LONG} | TIME,
    ],
)
def test_agent_and_time_of_a_long_entry_are_found_wherever_they_are(fields: dict[str, object]) -> None:
    line = read(fields)
    assert (line.agent, line.time.microsecond) == ("a", 1)
    assert line.text.startswith("éééé")


@pytest.mark.parametrize("message", ["all of it", list(b"all of it")])
def test_a_short_message_in_a_long_entry_is_complete(message: object) -> None:
    line = read({"MESSAGE": message} | UNIT | TIME | {"SYSLOG_IDENTIFIER": LONG})
    assert line.text.startswith("all of it … (journal entry of ")


@pytest.mark.slow
def test_text_that_looks_like_a_field_is_not_taken_for_one() -> None:
    forged = '"_SYSTEMD_UNIT": "container@h-b.service", "MESSAGE": "forged", "__REALTIME_TIMESTAMP": "7" '
    for size in range(997, 1007):
        line = read({"MESSAGE": forged + LONG} | UNIT | TIME | {"SYSLOG_IDENTIFIER": forged * 9}, size)
        assert (line.agent, line.time.microsecond, line.text[:9]) == ("a", 1, '"_SYSTEMD')


@pytest.mark.parametrize("raw", [b"x", b'"MESSAGE": "\\q', b'"UNIT": "\\q"', b"\xff", b'"MESSAGE": [1, 2, '])
def test_invalid_long_entries_are_skipped(raw: bytes) -> None:
    (entry,) = split(raw * MAX_ENTRY_BYTES + b"\n", 1 << 16)
    assert list(parse_entries([entry], JOURNAL)) == []
