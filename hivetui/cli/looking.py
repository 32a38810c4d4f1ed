"""The verbs that look: agents, logs, operations, operation, warnings, repair, doctor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hivetui.engine.model import names
from hivetui.engine.model.base import Model
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.operations import Operation

from . import following, render
from .session import Session
from .shapes import as_json, line_json


def _put(session: Session, plural: str, rows: Sequence[Model], lines: Sequence[str]) -> int:
    if session.out.as_json:
        session.out.put_json({plural: [as_json(row) for row in rows]})
    else:
        session.out.put_all(lines)
    return 0


async def agents(session: Session) -> int:
    """Every agent and its state."""
    rows = await session.hive.agents()
    lines = render.agents(rows, session.now, session.out.width) if rows else [session.out.hint(render.NO_AGENTS)]
    return _put(session, "agents", rows, lines)


async def warnings(session: Session) -> int:
    """The standing warnings."""
    rows = await session.hive.warnings()
    return _put(session, "warnings", rows, render.warnings(rows, session.out.hint))


async def operations(session: Session) -> int:
    """What runs; with --all, what ran too."""
    rows = await session.hive.operations(ended=session.request.all)
    return _put(session, "operations", rows, render.operations(rows, session.now, session.out.width))


async def operation(session: Session) -> int:
    """One operation; with -f its output until its end, and then its exit status."""
    row = await session.hive.operation(session.request.id)
    if session.request.follow:
        return await _follow(session, row)
    if session.out.as_json:
        session.out.put_json({"operation": as_json(row)})
        return 0
    session.out.put_all(render.operation(row, session.now))
    if row.state.ended:
        async for entries in session.hive.follow(row.id):
            session.out.put_all(filter(None, map(render.entry, entries)))
    return 0


async def _follow(session: Session, row: Operation) -> int:
    if not session.out.as_json:
        return await following.to_the_end(session, row)
    async for entries in session.hive.follow(row.id):
        for entry in entries:
            session.out.put_json({"entry": as_json(entry)})
        session.out.flush()
    ended = await session.hive.operation(row.id)
    session.out.put_json({"operation": as_json(ended)})
    return following.status_of(ended)


async def repair(session: Session) -> int:
    """Settle what earlier crashes left, or only say what would be done."""
    request = session.request
    rows = await session.hive.repair(request.name, request.dry_run)
    return _put(session, "repairs", rows, render.repairs(rows, request.dry_run))


async def doctor(session: Session) -> int:
    """Is this host fit; 69 when it is not."""
    rows = await session.hive.doctor()
    _put(session, "checks", rows, render.checks(rows, session.out.hint))
    return 0 if all(row.ok for row in rows) else 69


async def logs(session: Session) -> int:
    """The agents' logs merged by time: one JSON object a line with -f, else one for all lines."""
    request = session.request
    since = None if request.since is None else moment(request.since, session.now)
    query = LogQuery(
        agents=tuple(dict.fromkeys(map(names.check, request.names))),
        follow=request.follow,
        lines=request.lines,
        since=since,
        grep=request.grep,
    )
    room = max(map(len, query.agents))
    kept: list[LogLine] = []
    async for batch in session.hive.logs(query):
        if not session.out.as_json:
            session.out.put_all(render.log_line(line, room) for line in batch)
        elif query.follow:
            for line in batch:
                session.out.put_json(line_json(line))
        else:
            kept += batch
        session.out.flush()
    if session.out.as_json and not query.follow:
        session.out.put_json({"lines": [line_json(line) for line in kept]})
    return 0


_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """A time as an operator writes it: 10m, "2 hours ago", today, yesterday, or ISO 8601 (UTC unless it says other)."""
    words = text.strip().lower()
    if found := re.fullmatch(r"(\d{1,6})\s*(s|m|min|h|d|w)[a-z]*(\s+ago)?", words):
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    if words in ("today", "yesterday"):
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=words == "yesterday")
    try:
        time = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
    except ValueError as error:
        why = "A time is 10m, 2h, 3d, today, yesterday, or ISO 8601."
        raise BadData(f"{text[:40]!r} is not a time", why, "Write it as 2026-01-31T12:00:00Z.") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
