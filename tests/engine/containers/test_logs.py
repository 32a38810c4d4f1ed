"""The journal as lines: what is asked of journalctl, how its entries are read, and following."""

from __future__ import annotations

import asyncio
import json
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
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.errors import BadData, CommandFailed, Unavailable
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.settings import Settings

HOST_JOURNAL = logs.Journal((), units={"container@h-a.service": "a", "container@h-b.service": "b"})


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("HIVETUI_EMBEDDED_NIX", "stand-in")
    yield open_embedded(tmp_path / "h", Settings())
    end_agents(tmp_path / "h")


def say(host: Host, agent: str, text: str, at: int) -> None:
    journal.say(Layout(host.paths.root), f"h-{agent}", text, identifier="harness", at=at)


async def texts(host: Host, **query: object) -> list[str]:
    asked = LogQuery.model_validate({"agents": ("a", "b"), **query})
    return [line.text async for batch in logs.lines(host, asked) for line in batch]


def entry(**fields: object) -> bytes:
    return json.dumps({"__REALTIME_TIMESTAMP": "1000001", "_SYSTEMD_UNIT": "container@h-a.service", **fields}).encode()


def parsed(*entries: bytes) -> list[LogLine]:
    return list(logs.parse(entries, HOST_JOURNAL))


def test_an_entry_is_a_line_with_its_time_and_agent() -> None:
    (line,) = parsed(entry(MESSAGE="hello", SYSLOG_IDENTIFIER="harness"))
    assert line == LogLine(datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC), "a", "harness", "hello")


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        (list(b"caf\xc3\xa9 \x1b[0m"), ["café \x1b[0m"]),
        (list(b"\xff"), ["\udcff"]),
        ("one\ntwo", ["one", "two"]),
        (None, [""]),
        (["one", "two"], ["one two"]),
        ([], [""]),
        ("", [""]),
    ],
)
def test_a_message_is_text_in_whatever_form_it_comes(message: object, texts: list[str]) -> None:
    assert [line.text for line in parsed(entry(MESSAGE=message))] == texts


def test_systemd_s_own_words_about_a_unit_are_the_agent_s() -> None:
    of_systemd = entry(_SYSTEMD_UNIT="init.scope", UNIT="container@h-b.service", MESSAGE="Started")
    of_nobody = entry(_SYSTEMD_UNIT="sshd.service", MESSAGE="x")
    found = [(line.agent, line.stream, line.text) for line in parsed(of_systemd, of_nobody)]
    assert found == [("b", "", "Started")]


def test_all_that_a_container_s_own_journal_says_is_that_agent_s_whatever_it_says() -> None:
    forged = entry(_SYSTEMD_UNIT="container@h-b.service", MESSAGE="I am b")
    honest = entry(_SYSTEMD_UNIT="harness.service", SYSLOG_IDENTIFIER="bash", MESSAGE="turn 1")
    found = [(line.agent, line.stream, line.text) for line in logs.parse((forged, honest), logs.Journal((), "a"))]
    assert found == [("a", "", "I am b"), ("a", "harness", "turn 1")]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"3", b"{}", b'{"__REALTIME_TIMESTAMP": "x"}', b'{"__REALTIME_TIMESTAMP": "9' + b"9" * 30]
)
def test_what_makes_no_sense_is_left_out(raw: bytes) -> None:
    assert parsed(raw, entry(MESSAGE="next"))[0].text == "next"


def test_the_host_s_journal_is_asked_for_the_units() -> None:
    asked = LogQuery(agents=("a", "hm1nd"), lines=None, since=datetime(2026, 1, 1, tzinfo=UTC), grep="-x")
    (journal,) = logs.journals_of(Host(Paths(Path("/nowhere")), Settings(), ProcessRunner()), asked.agents)
    words = logs.arguments(asked, journal)
    assert words[-2:] == ("--unit=container@h-a.service", "--unit=container@hm1nd.service")
    assert {"--lines=all", "--since=@1767225600.000000", "--grep=-x", "--all"} <= set(words)
    assert "--follow" not in words


async def test_streams_in_order_become_one_in_order() -> None:
    async def stream(agent: str, *seconds: int) -> logs.Batches:
        for second in seconds:
            yield [LogLine(datetime.fromtimestamp(second, UTC), agent, "", str(second))]

    merged = logs.by_time([stream("a", 1, 4, 5), stream("b", 2, 3), stream("c")])
    assert [line.text for batch in [batch async for batch in merged] for line in batch] == ["1", "2", "3", "4", "5"]


def test_a_machine_is_found_by_the_link_that_nspawn_made(tmp_path: Path) -> None:
    folder = tmp_path / "var/log/journal"
    folder.mkdir(parents=True)
    (folder / ("1" * 32)).mkdir()  # the host's own
    for machine, container in (
        ("2" * 32, "h-a"),
        ("3" * 32, "h-b"),
        ("4" * 32, "web"),
        ("../x".replace("/", "-"), "h-a"),
    ):
        target = tmp_path / "var/lib/nixos-containers" / container / "var/log/journal" / machine
        target.mkdir(parents=True)
        (folder / machine).symlink_to(target)
    (folder / ("5" * 32)).symlink_to(tmp_path / "var/lib/nixos-containers/h-a/gone")
    host = Host(Paths(tmp_path), Settings(), ProcessRunner())
    theirs = tmp_path / "var/lib/nixos-containers/h-a/var/log/journal" / ("2" * 32)
    assert logs.journals_of(host, ["a", "c"])[1:] == [logs.Journal((f"--directory={theirs}",), "a")]


def test_a_link_that_leads_out_of_the_container_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "var/log/journal"
    (folder / ("1" * 32)).mkdir(parents=True)
    inside = tmp_path / "var/lib/nixos-containers/h-a/var/log/journal"
    inside.mkdir(parents=True)
    (inside / ("2" * 32)).symlink_to(folder / ("1" * 32))
    (folder / ("2" * 32)).symlink_to(inside / ("2" * 32))
    host = Host(Paths(tmp_path), Settings(), ProcessRunner())
    assert len(logs.journals_of(host, ["a"])) == 1


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
    sizes = [len(batch) async for batch in logs.lines(embedded, LogQuery(agents=("a",), lines=None))]
    assert sum(sizes) == 30_000
    assert max(sizes) <= 5_000


async def test_following_shows_what_comes_and_ends_with_its_reader(embedded: Host) -> None:
    say(embedded, "a", "before", 1)
    query = LogQuery(agents=("a",), follow=True, lines=10)
    async with aclosing(logs.lines(embedded, query)) as lines:
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


async def test_without_journalctl_it_says_so(embedded: Host) -> None:
    host = replace(embedded, tools=replace(embedded.tools, journalctl=("/nonexistent/journalctl",)))
    with pytest.raises(Unavailable):
        await texts(host)


async def test_what_is_no_entry_is_skipped_however_long_it_is(tmp_path: Path) -> None:
    whole = entry(MESSAGE="whole").decode()
    host = journalctl_that(tmp_path, f"head -c 600000 /dev/zero | tr '\\0' x\necho\ncat <<'E'\n{whole}\nE")
    assert await texts(host) == ["whole"]


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["x", "\x1b"])
async def test_of_a_line_of_ten_megabytes_the_beginning_is_read_and_its_size_is_told(
    embedded: Host, letter: str
) -> None:
    say(embedded, "a", "before", 1)
    say(embedded, "a", "long " + letter * 10_000_000, 2)
    say(embedded, "a", "after", 3)
    first, long, last = await texts(embedded)
    assert (first, last) == ("before", "after")
    assert long.startswith("long " + letter * 2000)
    assert re.fullmatch(r"long (.)\1+ … \(an entry of \d{8} bytes: .*\)", long)


@pytest.mark.parametrize(
    "said", ["", "An error was encountered while opening journal file or directory x, ignoring file: y"]
)
async def test_a_search_that_finds_nothing_is_no_failure(tmp_path: Path, said: str) -> None:
    host = journalctl_that(tmp_path, f"echo -n '{said}' >&2; exit 1")
    assert await texts(host, grep="x") == []
    with pytest.raises(CommandFailed):
        await texts(host)


async def test_a_journalctl_that_complains_is_told(tmp_path: Path) -> None:
    host = journalctl_that(tmp_path, "echo 'Failed to parse' >&2; exit 1")
    with pytest.raises(CommandFailed, match="Failed to parse"):
        await texts(host, grep="x")


def journalctl_that(folder: Path, script: str) -> Host:
    program = folder / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    host = Host(Paths(folder), Settings(), ProcessRunner())
    return replace(host, tools=replace(host.tools, journalctl=(str(program),)), environment={"PATH": "/usr/bin:/bin"})
