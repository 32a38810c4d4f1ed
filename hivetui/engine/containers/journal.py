"""Reading one journal by journalctl: which journals hold the agents' lines, and their entries as log lines.

An agent's lines are in two places: what systemd and the container's console say about its unit is in the host's own
journal, and what runs in the container is in the container's journal, which systemd-nspawn links into the host's
(`--link-journal`). Whoever is root in a container can write anything into the latter, also that it came from another
agent. So each journal is read by itself, and every line of a container's journal is that agent's, whatever it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from hivetui.engine.containers.units import unit_of
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.binary import is_binary
from hivetui.engine.model.logs import LogLine

_FIELDS = ("MESSAGE", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "UNIT", "PRIORITY")
_MAX_SOURCE_CHARS = 64
_PRIORITIES = {str(level): level for level in range(8)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MACHINE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
"""The name of a journal directory, by machine-id(5)."""
_CURSOR = re.compile(r"[!-~]{1,1000}", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")

Batches = AsyncGenerator[list[LogLine], None]


class Journal(NamedTuple):
    """One journal: the arguments that make journalctl select it, and whose lines it holds.

    A container's journal has an `agent`. In the host's own journal, `units` tells the agent by the unit, a field
    that only the host's journald can set. `key` names it in the cursors of lines. `directory` is where its files are,
    for those that can be deleted and made again while they are followed.
    """

    selection: tuple[str, ...]
    agent: str | None = None
    units: Mapping[str, str] = {}
    key: str = "host"
    directory: Path | None = None


def journals_of(host: Host, agents: Iterable[str]) -> list[Journal]:
    """The host's journal, limited to the agents' units, and the linked journal of each of their containers.

    An embedded host has one for each agent, with an order of its own.
    """
    units = {unit_of(name): name for name in agents}
    if host.embedded:
        return [_embedded_journal(host, unit, name) for unit, name in units.items()]
    journals = [Journal(tuple(f"--unit={unit}" for unit in units), units=units)]
    roots = {host.paths.root / "var/lib/nixos-containers" / names.container_of(name): name for name in units.values()}
    return journals + [journal for link in _links(host) if (journal := _linked_journal(link, roots)) is not None]


def _embedded_journal(host: Host, unit: str, name: str) -> Journal:
    directory = host.paths.root / "var/log/journal" / names.container_of(name)
    return Journal((f"--unit={unit}",), units={unit: name}, key=name, directory=directory)


def _links(host: Host) -> list[Path]:
    directory = host.paths.root / "var/log/journal"
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if path.is_symlink())


def _linked_journal(link: Path, roots: Mapping[Path, str]) -> Journal | None:
    """The journal behind a link that systemd-nspawn made, if it really is inside one of the containers.

    A further link, made in the container, could lead to another agent's journal, or to the host's own; or nowhere, by a
    name that no system call takes, which must not end the logs of others.
    """
    try:
        target, directory = link.readlink(), link.resolve(strict=True)
    except (OSError, RuntimeError):  # a loop is a RuntimeError until Python 3.13
        return None
    for root, agent in roots.items():
        if root in target.parents and root.resolve() in directory.parents:
            is_journal = _MACHINE_ID.fullmatch(link.name) is not None
            selection = (f"--directory={directory}",)
            return Journal(selection, agent, key=link.name, directory=directory) if is_journal else None
    return None


def journalctl_arguments(journal: Journal, selection: tuple[str, ...], follow: bool) -> tuple[str, ...]:
    """The arguments of journalctl. Without --all it leaves out fields that are too long (journalctl(1), "json").

    --follow limits itself to one boot of a directory, and fails where there is none yet; --merge lifts that.
    """
    output = ("--no-pager", "--quiet", "--all", "--output=json", f"--output-fields={','.join(_FIELDS)}")
    merge = ("--merge",) if journal.agent is not None else ()
    return (*output, *selection, *(("--follow", *merge) if follow else ()), *journal.selection)


def cursor_in(journal: Journal, cursors: Iterable[str]) -> str | None:
    """The last of these cursors of lines that is of a journal, as journalctl takes it."""
    found = [rest for key, _, rest in (cursor.partition(" ") for cursor in cursors) if key == journal.key]
    return found[-1] if found and _CURSOR.fullmatch(found[-1]) else None


def last_cursor(entries: Sequence[bytes]) -> str | None:
    """The cursor of the last entry; None for one that cannot be passed to journalctl."""
    try:
        cursor = json.loads(entries[-1])["__CURSOR"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return cursor if isinstance(cursor, str) and _CURSOR.fullmatch(cursor) else None


def parse_entries(entries: Iterable[bytes], journal: Journal) -> Iterator[LogLine]:
    """The lines of entries in journald's JSON (systemd.io/JOURNAL_EXPORT_FORMATS); invalid entries are skipped."""
    for raw in entries:
        try:
            entry = json.loads(raw.decode("utf-8", "surrogatepass"))  # loads would first guess the encoding of bytes
            time = _EPOCH + timedelta(microseconds=int(entry["__REALTIME_TIMESTAMP"]))
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        agent = journal.agent or _agent(entry, journal.units)
        if agent is not None:
            source, priority = _source(entry), _priority(entry.get("PRIORITY"))
            cursor = f"{journal.key} {entry.get('__CURSOR', '')}"
            message = _text(entry.get("MESSAGE"))
            for text in [message] if is_binary(message) else message.split("\n"):
                yield LogLine(time, agent, source, text, priority, cursor)


def _agent(entry: dict[str, Any], units: Mapping[str, str]) -> str | None:
    fields = (entry.get(field) for field in ("_SYSTEMD_UNIT", "UNIT"))
    return next((units[unit] for unit in fields if isinstance(unit, str) and unit in units), None)


def _source(entry: dict[str, Any]) -> str:
    """Who logged it: the service in the container, or else the syslog identifier."""
    unit = _text(entry.get("_SYSTEMD_UNIT"))
    if unit.endswith(".service") and not unit.startswith("container@"):
        return unit.removesuffix(".service")[:_MAX_SOURCE_CHARS]
    return _text(entry.get("SYSLOG_IDENTIFIER"))[:_MAX_SOURCE_CHARS]


def _priority(field: object) -> int | None:
    """The syslog level from 0 to 7; None if there is none, or a container's process sent something else."""
    return _PRIORITIES.get(field) if isinstance(field, str) else None


def _text(field: object) -> str:
    """A field as text: a string, a list of byte values where it is not printable, or a list of several fields."""
    if isinstance(field, str):
        return field if field.isascii() else _SURROGATE.sub("\ufffd", field)
    if not isinstance(field, list):
        return ""
    try:
        return bytes(field).decode("utf-8", "surrogateescape")
    except (TypeError, ValueError):
        return " ".join(map(_text, field))
