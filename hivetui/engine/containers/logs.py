"""The agents' logs, merged by time, in batches.

An agent's lines are those of its container's unit, which the host's own journal tells, and those of the journal that
the container writes itself, which systemd-nspawn links into the host's (`--link-journal`). Whoever is root in a
container can write anything into the latter, also that it is another's: so each is read by itself, and all of its lines
are that agent's, whatever they say.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from hivetui.engine.containers.long_entries import Entries
from hivetui.engine.host.host import Command, Host
from hivetui.engine.model import names
from hivetui.engine.model.errors import BadData, CommandFailed
from hivetui.engine.model.logs import LogLine, LogQuery

_FIELDS = ("MESSAGE", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "UNIT")
_BATCH = 5_000  # lines
_WAITING = 16  # batches of a follower that wait for a slow reader
_SETTLE_SECONDS = 0.3  # how long the beginnings of several followed journals are collected, to be put in order
_LOOK_SECONDS = 2.0  # how often a follower looks for a journal that was linked since
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MACHINE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)  # machine-id(5)
_SURROGATE = re.compile("[\ud800-\udfff]")

Batches = AsyncGenerator[list[LogLine], None]


class Journal(NamedTuple):
    """One journal to read: how journalctl is told of it, and whose lines are in it.

    `agent` for the journal of a container; for the host's own, `units` tells by the unit, a field that only the
    host's journald writes.
    """

    selection: tuple[str, ...]
    agent: str | None = None
    units: Mapping[str, str] = {}


async def lines(host: Host, query: LogQuery) -> Batches:
    """The lines that `query` asks for, oldest first; with `follow`, then those that come, until the reader closes.

    BadData for an expression that is none, Unavailable without journalctl.
    """
    _check_expression(query.grep)
    found = _followed(host, query) if query.follow else _past(host, query)
    async with aclosing(found):
        async for batch in found:
            for start in range(0, len(batch), _BATCH):
                yield batch[start : start + _BATCH]


async def _past(host: Host, query: LogQuery) -> Batches:
    """What is there: of all journals the last so many lines, by time."""
    journals = journals_of(host, query.agents)
    merged = by_time([_read(host, query, journal) for journal in journals])
    async with aclosing(merged):
        if query.lines is None or len(journals) == 1:
            async for batch in merged:
                yield batch
        else:
            newest: deque[LogLine] = deque(maxlen=query.lines)
            async for batch in merged:
                newest.extend(batch)
            yield list(newest)


async def by_time(streams: Sequence[Batches]) -> Batches:
    """Streams that are each in the order of time as one that is."""
    heads: list[list[LogLine]] = [[] for _ in streams]
    open_streams = list(streams)
    try:
        while open_streams:
            for at in reversed(range(len(open_streams))):
                while not heads[at]:
                    try:
                        heads[at] = await anext(open_streams[at])
                    except StopAsyncIteration:
                        del heads[at], open_streams[at]
                        break
            if heads:
                until = min(head[-1].time for head in heads)
                yield sorted((line for head in heads for line in head if line.time <= until), key=_time)
                heads = [[line for line in head if line.time > until] for head in heads]
    finally:
        for one in open_streams:
            await one.aclose()


def _time(line: LogLine) -> datetime:
    return line.time


async def _followed(host: Host, query: LogQuery) -> Batches:
    """The beginnings of all journals in order, then what comes as it comes; a journal that is linked later too."""
    queue: asyncio.Queue[list[LogLine] | Exception | None] = asyncio.Queue(_WAITING)
    watcher = asyncio.create_task(_watch(host, query, queue))
    try:
        beginning: list[LogLine] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while (found := await queue.get()) is not None:
                    beginning += _taken(found)
        beginning.sort(key=_time)
        yield beginning if query.lines is None else beginning[len(beginning) - min(query.lines, len(beginning)) :]
        while (found := await queue.get()) is not None:
            yield _taken(found)
    finally:
        watcher.cancel()
        await asyncio.wait({watcher})


def _taken(found: list[LogLine] | Exception) -> list[LogLine]:
    if isinstance(found, BaseException):
        raise found
    return found


async def _watch(host: Host, query: LogQuery, queue: asyncio.Queue[list[LogLine] | Exception | None]) -> None:
    """A follower for each journal that is there or comes; one that fails or ends is told to the reader."""

    async def feed(journal: Journal) -> None:
        try:
            async with aclosing(_read(host, query, journal)) as found:
                async for batch in found:
                    await queue.put(batch)
            await queue.put(None)
        except Exception as error:  # noqa: BLE001 - handed to the reader, who raises it
            await queue.put(error)

    known: set[tuple[str, ...]] = set()
    async with asyncio.TaskGroup() as followers:
        while True:
            for journal in journals_of(host, query.agents):
                if journal.selection not in known:
                    known.add(journal.selection)
                    followers.create_task(feed(journal))
            await asyncio.sleep(_LOOK_SECONDS)


async def _read(host: Host, query: LogQuery, journal: Journal) -> Batches:
    command = Command((*host.tools.journalctl, *arguments(query, journal)), env=host.environment)
    backwards = query.grep is not None and not query.follow and query.lines is not None
    async with aclosing(_entries(host, command, searching=query.grep is not None)) as found:
        if backwards:  # journalctl(1): --grep with --lines prints the newest first
            whole = [line async for batch in found for line in parse(batch, journal)]
            yield sorted(whole, key=_time)
            return
        async for batch in found:
            yield list(parse(batch, journal))


def _check_expression(expression: str | None) -> None:
    try:
        re.compile(expression or "")
    except re.error as error:
        why = f"{error.msg} at character {error.pos}."
        raise BadData(
            f"{(expression or '')[:60]!r} is no regular expression", why, r"Write \ before ( [ * + ?"
        ) from error


def unit_of(name: str) -> str:
    """The unit of an agent's container; the name is checked here."""
    return f"container@{names.container_of(names.check(name))}.service"


def journals_of(host: Host, agents: Iterable[str]) -> list[Journal]:
    """The host's journal, for the containers' units, and each journal that is linked from one of these containers."""
    units = {unit_of(name): name for name in agents}
    found = [Journal(tuple(f"--unit={unit}" for unit in units), units=units)]
    if host.embedded:
        return found
    roots = {host.paths.root / "var/lib/nixos-containers" / names.container_of(name): name for name in units.values()}
    return found + [journal for link in _links(host) if (journal := _linked(link, roots)) is not None]


def _linked(link: Path, roots: Mapping[Path, str]) -> Journal | None:
    """The journal behind a link that nspawn made, if it really lies in one of the containers.

    A link further on, made in the container, could lead to another's journal, or to the host's own.
    """
    folder = link.resolve()
    root = next((root for root in roots if root in link.readlink().parents and root.resolve() in folder.parents), None)
    if root is None or not _MACHINE_ID.fullmatch(link.name):
        return None
    return Journal((f"--directory={folder}",), agent=roots[root])


def _links(host: Host) -> list[Path]:
    folder = host.paths.root / "var/log/journal"
    return sorted(path for path in folder.iterdir() if path.is_symlink() and path.exists()) if folder.is_dir() else []


def arguments(query: LogQuery, journal: Journal) -> tuple[str, ...]:
    """The arguments of journalctl. With --all no field is left out for its length (journalctl(1), "json")."""
    count = "all" if query.lines is None else str(query.lines)
    plain = ("--no-pager", "--quiet", "--all", "--output=json", f"--output-fields={','.join(_FIELDS)}")
    follow = ("--follow",) if query.follow else ()
    since = (f"--since=@{query.since.timestamp():.6f}",) if query.since else ()
    grep = (f"--grep={query.grep}",) if query.grep is not None else ()
    return (*plain, f"--lines={count}", *follow, *since, *grep, *journal.selection)


async def _entries(host: Host, command: Command, searching: bool) -> AsyncGenerator[list[bytes], None]:
    """The lines of JSON, as many at once as there are."""
    entries = Entries()
    try:
        async with aclosing(host.runner.stream(command)) as chunks:
            async for chunk in chunks:
                if whole := entries.take(chunk):
                    yield whole
    except CommandFailed as error:
        if not searching or _complains(error.why):
            raise


def _complains(text: str) -> bool:
    """Whether journalctl said what went wrong; a search that finds nothing ends with 1 too, and says nothing.

    That it leaves out the journal of a container that is gone is no complaint.
    """
    return any(line and "ignoring file" not in line for line in text.splitlines())


def parse(entries: Iterable[bytes], journal: Journal) -> Iterator[LogLine]:
    """The lines of entries in journald's JSON (systemd.io/JOURNAL_EXPORT_FORMATS); what makes no sense is left out."""
    for raw in entries:
        try:
            entry = json.loads(raw)
            time = _EPOCH + timedelta(microseconds=int(entry["__REALTIME_TIMESTAMP"]))
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        agent = journal.agent or _agent(entry, journal.units)
        if agent is not None:
            source = _source(entry)
            for text in _text(entry.get("MESSAGE")).split("\n"):
                yield LogLine(time, agent, source, text)


def _agent(entry: dict[str, Any], units: Mapping[str, str]) -> str | None:
    keys = (entry.get(field) for field in ("_SYSTEMD_UNIT", "UNIT"))
    return next((units[key] for key in keys if isinstance(key, str) and key in units), None)


def _source(entry: dict[str, Any]) -> str:
    """Who spoke: the service, as the guest knows it, else what calls itself so."""
    unit = _text(entry.get("_SYSTEMD_UNIT"))
    if unit.endswith(".service") and not unit.startswith("container@"):
        return unit.removesuffix(".service")[:64]
    return _text(entry.get("SYSLOG_IDENTIFIER"))[:64]


def _text(field: object) -> str:
    """A field as text: a string, a list of bytes where it is not plain text, or several of these."""
    if isinstance(field, str):
        return field if field.isascii() else _SURROGATE.sub("\ufffd", field)
    if not isinstance(field, list):
        return ""
    try:
        return bytes(field).decode("utf-8", "surrogateescape")
    except (TypeError, ValueError):
        return " ".join(map(_text, field))
