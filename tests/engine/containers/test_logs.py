"""The logs of several agents, merged by time and followed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivetui.embedded import end_agents, journal, open_embedded
from hivetui.embedded.layout import Layout
from hivetui.engine.containers import logs
from hivetui.engine.containers.journal import Batches
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.errors import BadData, CommandFailed, Unavailable
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.settings import Settings


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("HIVETUI_EMBEDDED_NIX", "stand-in")
    yield open_embedded(tmp_path / "h", Settings())
    end_agents(tmp_path / "h")


def say(host: Host, agent: str, text: str, at: int) -> None:
    journal.append(Layout(host.paths.root), f"h-{agent}", text, identifier="harness", at=at)


async def texts(host: Host, **query: object) -> list[str]:
    asked = LogQuery.model_validate({"agents": ("a", "b"), **query})
    return [line.text async for batch in logs.stream_lines(host, asked) for line in batch]


async def test_streams_in_order_become_one_in_order() -> None:
    async def stream(agent: str, *seconds: int) -> Batches:
        for second in seconds:
            yield [LogLine(datetime.fromtimestamp(second, UTC), agent, "", str(second))]

    merged = logs.merge_by_time([stream("a", 1, 4, 5), stream("b", 2, 3), stream("c")])
    assert [line.text for batch in [batch async for batch in merged] for line in batch] == ["1", "2", "3", "4", "5"]


async def test_lines_of_several_agents_are_merged_by_time(embedded: Host) -> None:
    for at, (agent, text) in enumerate([("a", "1"), ("b", "2"), ("a", "3"), ("b", "4")], start=1):
        say(embedded, agent, text, at)
    assert await texts(embedded) == ["1", "2", "3", "4"]
    assert await texts(embedded, lines=2) == ["3", "4"]
    assert await texts(embedded, lines=0) == []
    assert await texts(embedded, agents=("b",)) == ["2", "4"]
    assert await texts(embedded, since=datetime.fromtimestamp(0.000003, UTC), lines=None) == ["3", "4"]


async def test_a_search_keeps_the_order_of_time(embedded: Host) -> None:
    for at in range(1, 9):
        say(embedded, "a", f"{'even' if at % 2 == 0 else 'odd'} {at}", at)
    assert await texts(embedded, grep="even [0-9]", lines=2) == ["even 6", "even 8"]
    with pytest.raises(BadData):
        await texts(embedded, grep="[")


async def test_many_lines_come_in_batches(embedded: Host) -> None:
    place = Layout(embedded.paths.root).log("h-a")
    place.mkdir(parents=True)
    line = b'{"t": %d, "p": 6, "i": "x", "m": "line"}\n'
    (place / journal.CURRENT).write_bytes(b"".join(line % number for number in range(1, 30_001)))
    sizes = [len(batch) async for batch in logs.stream_lines(embedded, LogQuery(agents=("a",), lines=None))]
    assert sum(sizes) == 30_000
    assert max(sizes) <= 5_000


async def test_following_shows_what_comes_and_ends_with_its_reader(embedded: Host) -> None:
    say(embedded, "a", "before", 1)
    query = LogQuery(agents=("a",), follow=True, lines=10)
    async with aclosing(logs.stream_lines(embedded, query)) as lines:
        assert (await asyncio.wait_for(anext(lines), 10))[0].text == "before"
        say(embedded, "a", "after", 0)
        assert (await asyncio.wait_for(anext(lines), 10))[0].text == "after"
        reader = _readers(embedded)
        assert len(reader) == 1
    assert _readers(embedded) == []


def _readers(host: Host) -> list[str]:
    """The processes that read this host's journal."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"journalctl" in words and str(host.paths.root).encode() in words:
            found.append(path.parent.name)
    return found


async def test_without_journalctl_the_error_says_so(embedded: Host) -> None:
    host = replace(embedded, tools=replace(embedded.tools, journalctl=("/nonexistent/journalctl",)))
    with pytest.raises(Unavailable):
        await texts(host)


async def test_what_is_not_an_entry_is_skipped_even_if_it_is_long(tmp_path: Path) -> None:
    whole = '{"__REALTIME_TIMESTAMP": "1", "_SYSTEMD_UNIT": "container@h-a.service", "MESSAGE": "whole"}'
    host = journalctl_that(tmp_path, f"head -c 600000 /dev/zero | tr '\\0' x\necho\ncat <<'E'\n{whole}\nE")
    assert await texts(host) == ["whole"]


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["x", "\x1b"])
async def test_a_line_of_ten_megabytes_is_truncated_and_its_size_is_shown(embedded: Host, letter: str) -> None:
    say(embedded, "a", "before", 1)
    say(embedded, "a", "long " + letter * 10_000_000, 2)
    say(embedded, "a", "after", 3)
    first, long, last = await texts(embedded)
    assert (first, last) == ("before", "after")
    assert long.startswith("long " + letter * 2000)
    assert re.fullmatch(r"long (.)\1+ … \(journal entry of \d{8} bytes, truncated\)", long)


@pytest.mark.parametrize(
    "said", ["", "An error was encountered while opening journal file or directory x, ignoring file: y"]
)
async def test_a_search_without_a_match_is_not_an_error(tmp_path: Path, said: str) -> None:
    host = journalctl_that(tmp_path, f"echo -n '{said}' >&2; exit 1")
    assert await texts(host, grep="x") == []
    with pytest.raises(CommandFailed):
        await texts(host)


async def test_an_error_of_journalctl_is_reported(tmp_path: Path) -> None:
    host = journalctl_that(tmp_path, "echo 'Failed to parse' >&2; exit 1")
    with pytest.raises(CommandFailed, match="Failed to parse"):
        await texts(host, grep="x")


def journalctl_that(folder: Path, script: str) -> Host:
    program = folder / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    host = Host(Paths(folder), Settings(), ProcessRunner())
    return replace(host, tools=replace(host.tools, journalctl=(str(program),)), environment={"PATH": "/usr/bin:/bin"})
