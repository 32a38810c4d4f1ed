"""Entries of a journal out of chunks that are cut anywhere, and what is left of one that is too long."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from hivetui.engine.containers.logs import Journal, parse
from hivetui.engine.containers.long_entries import LONGEST, Entries
from hivetui.engine.model.logs import LogLine

JOURNAL = Journal((), units={"container@h-a.service": "a", "container@h-b.service": "b"})
UNIT = {"_SYSTEMD_UNIT": "container@h-a.service"}
TIME = {"__REALTIME_TIMESTAMP": "1000001"}
LONG = "é" * LONGEST


def taken(data: bytes, size: int) -> list[bytes]:
    entries = Entries()
    return [entry for at in range(0, len(data), size) for entry in entries.take(data[at : at + size])]


def read(fields: Mapping[str, object], size: int = 4096) -> LogLine:
    """The one line of an entry that is written in the order of these fields, with another before and after it."""
    raw = json.dumps(fields, ensure_ascii=False).encode() + b"\n"
    first, entry, last = taken(b"first\n" + raw + b"last\n", size)
    assert (first, last) == (b"first", b"last")
    (line,) = parse([entry], JOURNAL)
    return line


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_entries_come_whole_however_they_are_cut(size: int) -> None:
    assert taken(b"one\ntwo\n\nthree\nto", size) == [b"one", b"two", b"", b"three"]


@pytest.mark.parametrize("size", [1000, 256 * 1024, 1 << 24])
@pytest.mark.parametrize("message", [LONG, list(LONG.encode()), '\\"' + LONG, "\x1b" * LONGEST])
def test_of_a_long_one_the_beginning_and_the_size_are_left(size: int, message: object) -> None:
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
def test_it_is_found_whose_it_is_wherever_that_stands(fields: dict[str, object]) -> None:
    line = read(fields)
    assert (line.agent, line.time.microsecond) == ("a", 1)
    assert line.text.startswith("éééé")


@pytest.mark.parametrize("message", ["all of it", list(b"all of it")])
def test_a_short_message_in_a_long_one_is_whole(message: object) -> None:
    line = read({"MESSAGE": message} | UNIT | TIME | {"SYSLOG_IDENTIFIER": LONG})
    assert line.text.startswith("all of it … (an entry of ")


def test_text_that_looks_like_a_field_is_none() -> None:
    forged = '"_SYSTEMD_UNIT": "container@h-b.service", "MESSAGE": "forged", "__REALTIME_TIMESTAMP": "7" '
    for size in range(997, 1007):
        line = read({"MESSAGE": forged + LONG} | UNIT | TIME | {"SYSLOG_IDENTIFIER": forged * 9}, size)
        assert (line.agent, line.time.microsecond, line.text[:9]) == ("a", 1, '"_SYSTEMD')


@pytest.mark.parametrize("raw", [b"x", b'"MESSAGE": "\\q', b'"UNIT": "\\q"', b"\xff", b'"MESSAGE": [1, 2, '])
def test_what_makes_no_sense_is_no_line(raw: bytes) -> None:
    (entry,) = taken(raw * LONGEST + b"\n", 1 << 16)
    assert list(parse([entry], JOURNAL)) == []
