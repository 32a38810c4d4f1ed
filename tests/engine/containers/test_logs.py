"""The logs of several agents, merged by time and followed."""

from __future__ import annotations

import asyncio
import re
import shutil
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
from hivetui.engine.model.logs import NOTE_STREAM, LogLine, LogQuery
from hivetui.engine.model.settings import Settings
from tests.journal_files import JournalEntry, write_journal


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

    merged = logs.merge_journals([stream("a", 1, 4, 5), stream("b", 2, 3), stream("c")])
    assert [line.text for batch in [batch async for batch in merged] for line in batch] == ["1", "2", "3", "4", "5"]


async def test_a_clock_that_is_set_back_puts_no_effect_before_its_cause() -> None:
    async def stream(agent: str, *batches: list[int]) -> Batches:
        for batch in batches:
            yield [LogLine(datetime.fromtimestamp(second, UTC), agent, "", str(second)) for second in batch]

    merged = logs.merge_journals([stream("a", [7200, 7201, 3600], [3601, 7300]), stream("b", [7200, 3602], [7299])])
    lines = [line for batch in [batch async for batch in merged] for line in batch]
    assert [line.text for line in lines if line.agent == "a"] == ["7200", "7201", "3600", "3601", "7300"]
    assert [line.text for line in lines if line.agent == "b"] == ["7200", "3602", "7299"]
    assert [line.text for line in lines[-2:]] == ["7299", "7300"]


@pytest.mark.parametrize("query", [{"lines": None}, {"lines": 3}, {"lines": 3, "grep": "."}])
async def test_an_agent_s_lines_keep_the_order_in_which_they_were_logged(
    embedded: Host, query: dict[str, object]
) -> None:
    for text, at in (("cause", 7_200_000_000), ("effect", 3_600_000_000), ("end", 3_600_000_001)):
        say(embedded, "a", text, at)
    assert await texts(embedded, **query) == ["cause", "effect", "end"]
    lines = logs.stream_lines(embedded, LogQuery(agents=("a", "b"), follow=True))
    async with aclosing(lines):
        assert [line.text for line in await asyncio.wait_for(anext(lines), 10)] == ["cause", "effect", "end"]
        say(embedded, "a", "later", 3_600_000_002)
        say(embedded, "a", "still later", 3_500_000_000)
        new: list[str] = []
        while len(new) < 2:
            new += [line.text for line in await asyncio.wait_for(anext(lines), 10)]
        assert new == ["later", "still later"]


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


@pytest.mark.parametrize("expression", ["[[:alpha:]]+ed", r"\bfailed\b", r"\pL+ed", "FAILED|failed", "error.*red"])
async def test_a_search_speaks_the_console_s_dialect_and_finds_what_is_seen(embedded: Host, expression: str) -> None:
    say(embedded, "a", "all is well\nit \x1b[31mfai\x1b[1mled\x1b[0m error: red\nmore", 1)
    assert await texts(embedded, grep=expression) == ["it \x1b[31mfai\x1b[1mled\x1b[0m error: red"]
    assert await texts(embedded, grep=expression, lines=None) == ["it \x1b[31mfai\x1b[1mled\x1b[0m error: red"]


@pytest.mark.parametrize("expression", ["(?=x)", r"(x)\1", "x++", "(?>x)", "(", "\udcff"])
async def test_what_the_dialect_lacks_is_refused_in_words(embedded: Host, expression: str) -> None:
    with pytest.raises(BadData, match="regular expression"):
        await texts(embedded, grep=expression)


@pytest.mark.slow
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


async def test_an_error_of_journalctl_is_reported(tmp_path: Path) -> None:
    host = journalctl_that(tmp_path, "echo 'Failed to parse' >&2; exit 1")
    for query in ({"grep": "x"}, {}):
        with pytest.raises(CommandFailed, match="Failed to parse"):
            await asyncio.wait_for(texts(host, **query), 10)


async def test_journals_that_all_fail_are_told_each_and_join_a_follower_when_they_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_POLL_SECONDS", 0.05)
    script = f"""
test -e "${{directory:-{tmp_path}}}/entries" || {{ echo "${{directory:-the host}} is broken" >&2; exit 1; }}
test -z "$directory" || cat $directory/entries
case "$*" in *follow*) exec sleep 60;; esac"""
    host = host_with_journals(tmp_path, script)
    folders = {agent: tmp_path / "var/log/journal" / (str(number) * 32) for number, agent in enumerate("ab", 1)}
    seen: list[LogLine] = []
    lines = logs.stream_lines(host, LogQuery(agents=("a", "b"), follow=True))
    async with aclosing(lines), asyncio.timeout(20):
        async for batch in lines:
            seen += batch
            broken = [line.agent for line in seen if line.text.endswith("is broken")]
            joined = [line.text for line in seen if line.text.startswith("of ")]
            for agent, before in (("b", 0), ("a", 1)):
                if len(broken) == 3 and len(joined) == before:
                    (folders[agent] / "entries").write_text(ENTRY % (1, 1, f"of {agent}") + "\n")
            if len(joined) == 2:
                break
    assert sorted(broken) == ["", "a", "b"]
    assert joined == ["of b", "of a"]
    assert len(seen) == 5  # the trouble of each is told once


async def test_logs_of_an_embedded_host_that_are_all_damaged_are_waited_for(embedded: Host) -> None:
    layout = Layout(embedded.paths.root)
    (layout.log("h-a") / journal.CURRENT).mkdir(parents=True)
    layout.log("h-b").mkdir()
    (layout.log("h-b") / journal.CURRENT).write_bytes(b"\xff\xfe\n")
    seen: list[str] = []
    lines = logs.stream_lines(embedded, LogQuery(agents=("a", "b"), follow=True))
    async with aclosing(lines), asyncio.timeout(20):
        async for batch in lines:
            seen += [line.text for line in batch]
            if len(seen) == 2:
                (layout.log("h-a") / journal.CURRENT).rmdir()
                say(embedded, "a", "of a", 1)
            if seen[-1] == "of a":
                say(embedded, "b", "of b", 2)
            if seen[-1] == "of b":
                break
    assert [text.partition(":")[0] for text in seen] == [
        "Failed to read the log of h-a",
        "Log of h-b is damaged, ignoring 1 line",
        "of a",
        "of b",
    ]


def journalctl_that(folder: Path, script: str) -> Host:
    program = folder / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    host = Host(Paths(folder), Settings(), ProcessRunner())
    return replace(host, tools=replace(host.tools, journalctl=(str(program),)), environment={"PATH": "/usr/bin:/bin"})


ENTRY = '{"__REALTIME_TIMESTAMP": "%d", "__CURSOR": "c%d", "_SYSTEMD_UNIT": "x.service", "MESSAGE": "%s"}'


def host_with_journals(folder: Path, script: str) -> Host:
    """A host where `script` reads the journal in $directory, which is agent a's or b's, or no directory's."""
    for number, agent in enumerate("ab", 1):
        link = folder / "var/log/journal" / (str(number) * 32)
        target = folder / "var/lib/nixos-containers" / f"h-{agent}" / "var/log/journal" / link.name
        for path in (target, link.parent):
            path.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    choose = 'for word; do case "$word" in --directory=*) directory=${word#*=};; esac; done\n'
    return journalctl_that(folder, choose + script)


@pytest.mark.parametrize(
    ("failure", "told"),
    [("echo damaged >&2; exit 1", "damaged"), ("exit 1", "ended with status 1"), ("kill -9 $$", "killed by SIGKILL")],
)
async def test_a_journal_that_fails_is_a_line_beside_those_of_the_others(
    tmp_path: Path, failure: str, told: str
) -> None:
    script = f"case $directory in *h-a*) echo '{ENTRY % (5, 1, 'of a')}';; *h-b*) {failure};; esac"
    host = host_with_journals(tmp_path, script)
    first, second = [line async for batch in logs.stream_lines(host, LogQuery(agents=("a", "b"))) for line in batch]
    assert first.text == "of a"
    assert (second.agent, second.stream, second.priority) == ("b", NOTE_STREAM, 4)
    assert told in second.text


@pytest.mark.parametrize("query", [{}, {"lines": 1}, {"grep": "of", "lines": None}])
async def test_what_journalctl_leaves_out_is_told_though_it_ends_well(tmp_path: Path, query: dict[str, object]) -> None:
    note = "Journal file system.journal is truncated, ignoring file."
    script = f"case $directory in *h-a*) echo '{ENTRY % (5, 1, 'of a')}'; echo '{note}' >&2;; esac"
    assert await texts(host_with_journals(tmp_path, script), **query) == ["of a", note]


async def test_the_real_journalctl_tells_of_a_damaged_file(tmp_path: Path) -> None:
    program = shutil.which("journalctl")
    if program is None:
        pytest.skip("needs journalctl")
    host = host_with_journals(tmp_path, f'[ -n "$directory" ] && exec {program} "$@"; exit 0')
    (tmp_path / "var/log/journal" / ("2" * 32) / "system.journal").write_bytes(b"no journal" * 10_000)
    (note,) = await texts(host)
    assert "system.journal" in note


async def test_a_flood_of_messages_is_bounded(tmp_path: Path) -> None:
    script = "case $directory in *h-a*) seq 1 1000 >&2;; esac"
    notes = await texts(host_with_journals(tmp_path, script))
    assert len(notes) < 30
    assert notes[-1] == "More messages of journalctl are not shown"


async def test_a_damaged_journal_of_another_agent_is_no_news(tmp_path: Path) -> None:
    host = host_with_journals(
        tmp_path, f'[ -n "$directory" ] || echo "{tmp_path}/var/log/journal/{"2" * 32}/x: bad" >&2'
    )
    assert await texts(host, agents=("a",)) == []


async def test_a_journal_joins_a_follower_when_it_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_POLL_SECONDS", 0.05)
    script = f"""
case "$*" in
*follow*--directory=*h-a*) echo '{ENTRY % (6, 2, "new of a")}'; exec sleep 60;;
*--directory=*h-a*) echo '{ENTRY % (5, 1, "of a")}';;
*--directory=*h-b*) cat $directory/entries || exit 1; exec sleep 60;;
*follow*) exec sleep 60;;
esac"""
    host = host_with_journals(tmp_path, script)
    lines = logs.stream_lines(host, LogQuery(agents=("a", "b"), follow=True))
    seen: list[str] = []
    async with aclosing(lines), asyncio.timeout(20):
        async for batch in lines:
            seen += [line.text for line in batch]
            if "new of a" in seen and any("entries" in text for text in seen):
                (tmp_path / "var/log/journal" / ("2" * 32) / "entries").write_text(ENTRY % (1, 1, "of b") + "\n")
            if "of b" in seen:
                break
    assert [text for text in seen if text.endswith(("of a", "of b"))] == ["of a", "new of a", "of b"]
    assert len(seen) == 4  # the trouble is told once


async def test_a_damaged_log_of_an_embedded_host_is_told_and_the_others_are_read(embedded: Host) -> None:
    layout = Layout(embedded.paths.root)
    say(embedded, "a", "of a", 1)
    say(embedded, "b", "of b", 2)
    with (layout.log("h-b") / journal.CURRENT).open("ab") as file:
        file.write(b'{"t": 3, "p": 6\n\xff\n{"t": "x", "p": 6, "i": "", "m": ""}\n')
    assert await texts(embedded) == ["of a", "of b", "Log of h-b is damaged, ignoring 3 lines"]
    (layout.log("h-b") / journal.CURRENT).unlink()
    (layout.log("h-b") / journal.CURRENT).mkdir()
    first, second = await texts(embedded)
    assert first == "of a"
    assert "log of h-b" in second


REAL_JOURNALCTL = shutil.which("journalctl")


def write_step_back(folder: Path, agent: str, machine: str, count: int) -> list[str]:
    """A journal of a container whose clock went back by an hour after two thirds of the entries; their texts."""
    entries = [
        JournalEntry(f"{agent} {number}", 1_790_000_000 + number - (3600 if number * 3 > count * 2 else 0))
        for number in range(count)
    ]
    name = machine * 32
    write_journal(
        folder / "var/lib/nixos-containers" / f"h-{agent}" / "var/log/journal" / name / "system.journal", entries
    )
    return [entry.message for entry in entries]


@pytest.mark.slow
@pytest.mark.skipif(REAL_JOURNALCTL is None, reason="needs journalctl")
async def test_a_lost_stream_of_real_journals_goes_on_where_it_was_though_the_clock_went_back(tmp_path: Path) -> None:
    host = host_with_journals(tmp_path, f'[ -n "$directory" ] && exec {REAL_JOURNALCTL} "$@"; exit 0')
    told = {agent: write_step_back(tmp_path, agent, str(number), 6000) for number, agent in enumerate("ab", 1)}
    query = LogQuery(agents=("a", "b"), lines=None)
    lines = [line async for batch in logs.stream_lines(host, query) for line in batch]
    for agent, messages in told.items():
        assert [line.text for line in lines if line.agent == agent] == messages
    assert len({line.cursor for line in lines}) == 12_000
    for cut in (1, 4100, 9000):
        newest = {line.agent: line.cursor for line in lines[:cut]}
        rest = query.model_copy(update={"after": tuple(newest.values()), "lines": 3, "grep": None})
        seen = [line.text async for batch in logs.stream_lines(host, rest) for line in batch]
        for agent in newest:
            expected = [line.text for line in lines[cut:] if line.agent == agent]
            assert [text for text in seen if text.startswith(agent)] == expected


async def test_binary_data_counts_as_one_line_and_is_found_by_what_is_seen_of_it(embedded: Host) -> None:
    data = (b"\x89PNG\n" + bytes(range(256)) * 80).decode("utf-8", "surrogateescape")
    for at, text in enumerate(("before", data, "after"), start=1):
        say(embedded, "a", text, at)
    assert await texts(embedded, lines=2) == [data, "after"]
    assert await texts(embedded, grep="binary, 20[0-9]+ bytes|after") == [data, "after"]


async def test_what_is_no_cursor_of_a_journal_never_reaches_journalctl(embedded: Host) -> None:
    say(embedded, "a", "one", 1)
    for cursor in ("a \n", "a --file=x y", "b embedded;h-b;1", "", "a ", "elsewhere x"):
        assert await texts(embedded, after=(cursor,)) == ["one"]


@pytest.mark.slow
@pytest.mark.skipif(REAL_JOURNALCTL is None, reason="needs journalctl")
async def test_a_real_journal_that_rotates_beside_a_damaged_file_is_followed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_POLL_SECONDS", 0.2)
    script = f'[ -n "$directory" ] && exec {REAL_JOURNALCTL} "$@"; exec sleep 100'
    host = host_with_journals(
        tmp_path, script.replace("exec sleep", 'case "$*" in *follow*) exec sleep', 1) + ";; esac"
    )
    write_step_back(tmp_path, "a", "1", 3)
    write_step_back(tmp_path, "b", "2", 3)
    folder = tmp_path / "var/log/journal" / ("2" * 32)
    folder = folder.resolve()
    (folder / "system@damaged.journal").write_bytes(b"LPKSHHRH" + b"x" * 5000)
    seen: list[str] = []
    lines = logs.stream_lines(host, LogQuery(agents=("a", "b"), follow=True))
    async with aclosing(lines), asyncio.timeout(60):
        async for batch in lines:
            seen += [line.text for line in batch]
            if "b 2" in seen and folder.exists() and "later" not in seen and not (folder / "new.journal").exists():
                (folder / "system.journal").rename(folder / "system@old.journal")
                write_journal(folder / "new.journal", [JournalEntry("later", 1_700_000_000)], first=10)
            if "later" in seen:
                break
    assert [text for text in seen if text.startswith("b ")] == ["b 0", "b 1", "b 2"]
    assert any("system@damaged.journal" in text for text in seen)


def move_journal(folder: Path, agent: str, machine: str, texts: list[str]) -> None:
    """Put a journal with these entries in the place of an agent's, which is deleted."""
    directory = folder / "var/lib/nixos-containers" / f"h-{agent}" / "var/log/journal" / (machine * 32)
    made = folder / "made" / directory.name
    write_journal(made / "system.journal", [JournalEntry(text, 1_790_000_000) for text in texts])
    shutil.rmtree(directory)
    made.rename(directory)


@pytest.mark.slow
@pytest.mark.skipif(REAL_JOURNALCTL is None, reason="needs journalctl")
async def test_a_real_journal_that_is_deleted_and_made_again_is_followed_from_its_first_line(tmp_path: Path) -> None:
    script = f'[ -n "$directory" ] && exec {REAL_JOURNALCTL} "$@"; case "$*" in *--follow*) exec sleep 60;; esac'
    host = host_with_journals(tmp_path, script)
    for machine, agent in enumerate("ab", 1):
        move_journal(tmp_path, agent, str(machine), [f"old {agent}"])
    seen: list[str] = []
    lines = logs.stream_lines(host, LogQuery(agents=("a", "b"), follow=True))
    async with aclosing(lines), asyncio.timeout(60):
        async for batch in lines:
            seen += [line.text for line in batch]
            if seen == ["old a", "old b"]:
                move_journal(tmp_path, "b", "2", ["new b", "newer b"])
            if seen[-1] == "newer b":
                move_journal(tmp_path, "b", "2", ["newest b"])
            if "newest b" in seen:
                break
    assert seen == ["old a", "old b", "new b", "newer b", "newest b"]


async def test_the_log_of_an_embedded_host_that_is_deleted_and_made_again_is_followed_from_its_first_line(
    embedded: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_POLL_SECONDS", 0.3)
    directory = Layout(embedded.paths.root).log("h-a")
    say(embedded, "a", "old", 5)
    seen: list[str] = []
    lines = logs.stream_lines(embedded, LogQuery(agents=("a", "b"), follow=True))
    async with aclosing(lines), asyncio.timeout(20):
        async for batch in lines:
            seen += [line.text for line in batch]
            if seen == ["old"]:
                say(embedded, "b", "of b", 6)
            if seen[-1] == "of b":
                shutil.rmtree(directory)
                say(embedded, "a", "new", 1)
                say(embedded, "a", "newer", 2)
            if "newer" in seen:
                break
    assert seen == ["old", "of b", "new", "newer"]
