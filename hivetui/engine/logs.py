"""The agents' logs: one journalctl for all agents that are asked for, its lines merged by time, in batches.

An agent's lines are those of its container's unit, and those of the journal that the container writes itself, which
systemd-nspawn links into the host's (`--link-journal`). Both carry the container's own words: whoever is root in a
container can write anything there.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import names
from .errors import BadData, CommandFailed
from .host import Command, Host
from .models import LogLine, LogQuery
from .review import stream

_FIELDS = ("MESSAGE", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "UNIT", "_MACHINE_ID")
_LONGEST = 16 << 20  # bytes of one entry; a longer one is left out
_BATCH = 5_000  # lines
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MACHINE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)  # machine-id(5)
_SURROGATE = re.compile("[\ud800-\udfff]")

Sources = dict[str, str]
"""Unit or machine id to the agent whose lines come from there."""


async def lines(host: Host, query: LogQuery) -> AsyncGenerator[list[LogLine], None]:
    """The lines that `query` asks for, oldest first; with `follow`, then those that come, until the reader closes.

    BadData for an expression that is none, Unavailable without journalctl.
    """
    _check_expression(query.grep)
    machines = {} if host.embedded else machines_of(host, query.agents)
    sources = {unit_of(name): name for name in query.agents} | machines
    command = Command((*host.tools.journalctl, *arguments(query, machines)), env=host.environment)
    async with aclosing(_entries(command, searching=query.grep is not None)) as found:
        batches = (list(parse(batch, sources)) async for batch in found)
        if query.grep is not None and not query.follow and query.lines is not None:
            batches = _in_order(batches)  # journalctl(1): --grep with --lines prints the newest first
        async with aclosing(batches):
            async for batch in batches:
                for start in range(0, len(batch), _BATCH):
                    yield batch[start : start + _BATCH]


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


def machines_of(host: Host, agents: Iterable[str]) -> Sources:
    """The machine ids whose journals are linked from these agents' containers, by the links that nspawn made."""
    roots = {host.places.root / "var/lib/nixos-containers" / names.container_of(name): name for name in agents}
    found: Sources = {}
    for link in _links(host.places.root / "var/log/journal"):
        root = next((parent for parent in link.readlink().parents if parent in roots), None)
        if root is not None and _MACHINE_ID.fullmatch(link.name):
            found[link.name] = roots[root]
    return found


def _links(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_symlink() and path.exists()] if folder.is_dir() else []


def arguments(query: LogQuery, machines: Mapping[str, str]) -> tuple[str, ...]:
    """The arguments of journalctl. With --all no field is left out for its length (journalctl(1), "json")."""
    count = "all" if query.lines is None else str(query.lines)
    plain = (
        "--no-pager",
        "--quiet",
        "--all",
        "--output=json",
        f"--output-fields={','.join(_FIELDS)}",
        f"--lines={count}",
    )
    follow = ("--follow",) if query.follow else ()
    since = (f"--since=@{query.since.timestamp():.6f}",) if query.since else ()
    grep = (f"--grep={query.grep}",) if query.grep is not None else ()
    return (*plain, *follow, *since, *grep, *_selection(query.agents, machines))


def _selection(agents: Iterable[str], machines: Mapping[str, str]) -> tuple[str, ...]:
    """Matches for all sources; "+" is a disjunction, and -u cannot be part of one."""
    units = [unit_of(name) for name in agents]
    if not machines:
        return tuple(f"--unit={unit}" for unit in units)
    matches: list[str] = []
    for unit in units:
        matches += [f"_SYSTEMD_UNIT={unit}", "+", "_PID=1", f"UNIT={unit}", "+"]
    for machine in sorted(machines):
        matches += [f"_MACHINE_ID={machine}", "+"]
    return ("--merge", *matches[:-1])


async def _entries(command: Command, searching: bool) -> AsyncGenerator[list[bytes], None]:
    """The lines of JSON, as many at once as there are; one that never ends is skipped, and not kept."""
    rest, skipping = b"", False
    try:
        async with aclosing(stream.chunks(command)) as chunks:
            async for chunk in chunks:
                *whole, rest = (rest + chunk).split(b"\n")
                if whole and skipping:
                    whole, skipping = whole[1:], False
                if len(rest) > _LONGEST:
                    rest, skipping = b"", True
                if whole:
                    yield whole
    except CommandFailed as error:
        if not searching or _complains(error.why):
            raise


def _complains(text: str) -> bool:
    """Whether journalctl said what went wrong; a search that finds nothing ends with 1 too, and says nothing.

    That it leaves out the journal of a container that is gone is no complaint.
    """
    return any(line and "ignoring file" not in line for line in text.splitlines())


async def _in_order(batches: AsyncGenerator[list[LogLine], None]) -> AsyncGenerator[list[LogLine], None]:
    """All lines, no more than were asked for, by time."""
    found = [line async for batch in batches for line in reversed(batch)]
    yield sorted(found, key=lambda line: line.time)


def parse(entries: Iterable[bytes], sources: Mapping[str, str]) -> Iterator[LogLine]:
    """The lines of entries in journald's JSON (systemd.io/JOURNAL_EXPORT_FORMATS); what makes no sense is left out."""
    for raw in entries:
        try:
            entry = json.loads(raw)
            time = _EPOCH + timedelta(microseconds=int(entry["__REALTIME_TIMESTAMP"]))
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        agent = _agent(entry, sources)
        if agent is not None:
            source = _source(entry)
            for text in _text(entry.get("MESSAGE")).split("\n"):
                yield LogLine(time, agent, source, text)


def _agent(entry: dict[str, Any], sources: Mapping[str, str]) -> str | None:
    keys = (entry.get(field) for field in ("_SYSTEMD_UNIT", "UNIT", "_MACHINE_ID"))
    return next((sources[key] for key in keys if isinstance(key, str) and key in sources), None)


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
    if isinstance(field, list) and all(isinstance(value, int) and 0 <= value < 256 for value in field):
        return bytes(field).decode("utf-8", "surrogateescape")
    return " ".join(map(_text, field)) if isinstance(field, list) else ""
