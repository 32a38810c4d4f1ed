"""The verbs that answer with a stream of frames."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import cast

from hivetui.engine.hive import LocalHive
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.state import HiveChange, HiveSnapshot
from hivetui.engine.model.time_parsing import parse_time
from hivetui.service.log_buffer import LogBuffer
from hivetui.wire.frames import BATCH_BYTES, Json
from hivetui.wire.values import line_to_json, to_json
from hivetui.wire.verbs import Request

Frames = AsyncGenerator[Json, None]
Stream = Callable[[LocalHive, Request], Frames]

_DEFAULT_LINES = 100
_MAX_LINE = 32 << 10
"""Characters of a line of a log; in JSON each can take six bytes, and in frames up to BATCH_BYTES several times."""
_BASE64_CHUNK = BATCH_BYTES * 3 // 4


def stream(hive: LocalHive, request: Request) -> Frames:
    """The frames of a stream, without `id`; each has `seq`. The errors of `api.Hive`."""
    return STREAMS[request.verb.name](hive, request)


async def _watch(hive: LocalHive, request: Request) -> Frames:
    updates = hive.watch(request.get("after"), request.get("instance"))
    async with _closing(updates):
        async for update in updates:
            frame: Json = {"seq": update.seq, "instance": update.instance}
            if update.snapshot is not None:
                frame["snapshot"] = _snapshot_json(update.snapshot)
            if update.change is not None:
                frame["change"] = _change_json(update.change)
            yield frame


def _snapshot_json(snapshot: HiveSnapshot) -> Json:
    texts = {"problem": snapshot.problem, "waits_for": snapshot.waits_for}
    return {**_lists_json(snapshot), "warnings": list(map(to_json, snapshot.warnings)), **texts}


def _change_json(change: HiveChange) -> Json:
    """Only what differs."""
    gone = ("agents_gone", "proposals_gone", "operations_gone")
    content: Json = {
        **{key: value for key, value in _lists_json(change).items() if value},
        **{key: list(getattr(change, key)) for key in gone if getattr(change, key)},
    }
    if change.warnings is not None:
        content["warnings"] = list(map(to_json, change.warnings))
    if change.problem is not None:
        content["problem"] = change.problem
    if change.waits_for is not None:
        content["waits_for"] = change.waits_for
    return content


def _lists_json(state: HiveSnapshot | HiveChange) -> Json:
    return {
        "agents": list(map(to_json, state.agents)),
        "proposals": list(map(to_json, state.proposals)),
        "operations": list(map(to_json, state.operations)),
    }


async def _figures(hive: LocalHive, request: Request) -> Frames:
    samples, seq = hive.figures(), 0
    async with _closing(samples):
        async for figures in samples:
            seq += 1
            yield {"seq": seq, "figures": list(map(to_json, figures))}


async def _difference(hive: LocalHive, request: Request) -> Frames:
    members = request.members
    chunks = hive.difference(
        members["proposal"], members["base"], members.get("context", 3), members.get("ignore_whitespace", False)
    )
    seq = 0
    async with _closing(chunks):
        async for chunk in chunks:
            for start in range(0, len(chunk), _BASE64_CHUNK):
                seq += 1
                data = base64.b64encode(chunk[start : start + _BASE64_CHUNK]).decode("ascii")
                yield {"seq": seq, "data": data}


async def _logs(hive: LocalHive, request: Request) -> Frames:
    buffer, seq = LogBuffer(_line_size, BATCH_BYTES), 0
    portions = buffer.portions(hive.logs(_log_query(request), buffer.begin_new))
    async with aclosing(portions):
        async for lines, dropped in portions:
            seq += 1
            yield {"seq": seq, "lines": [line_to_json(_cut(line)) for line in lines], "dropped": dropped}


def _cut(line: LogLine) -> LogLine:
    """A line that fits into a frame, with the count of what was left out."""
    if len(line.text) <= _MAX_LINE:
        return line
    return line._replace(text=f"{line.text[:_MAX_LINE]} … (+{len(line.text) - _MAX_LINE} characters)")


def _log_query(request: Request) -> LogQuery:
    since = request.get("since")
    return LogQuery(
        agents=request.members["names"],
        follow=request.get("follow", False),
        lines=None if request.get("all", False) else request.get("lines", _DEFAULT_LINES),
        since=None if since is None else parse_time(since, datetime.now(UTC)),
        grep=request.get("grep"),
        after=request.get("cursors", ()),
    )


async def _operation(hive: LocalHive, request: Request) -> Frames:
    """The operation as it is now, its entries where they are wanted, and the operation as it is at the end."""
    number = request.members["operation"]
    after, wait = request.get("after", 0), request.get("follow", False)
    yield {"seq": after, "operation": to_json(await hive.operation(number))}
    if not wait and not request.get("output", True):
        return
    batches = hive.follow(number, after, wait)
    async with _closing(batches):
        async for batch in batches:
            for entries in _portions(list(map(to_json, batch))):
                yield {"seq": entries[-1]["number"], "entries": entries}
                after = entries[-1]["number"]
    yield {"seq": after, "operation": to_json(await hive.operation(number))}


def _portions(entries: list[Json]) -> list[list[Json]]:
    """The entries in lists that are about as large as one frame may be."""
    portions: list[list[Json]] = []
    room = 0
    for entry in entries:
        size = _entry_size(entry)
        if size > room:
            portions.append([])
            room = BATCH_BYTES
        portions[-1].append(entry)
        room -= size
    return portions


def _line_size(line: LogLine) -> int:
    return min(len(line.text), _MAX_LINE) + 120


def _entry_size(entry: Json) -> int:
    return len(entry["text"]) + sum(map(len, entry["argv"])) + 160


def _closing(iterator: AsyncIterator[object]) -> aclosing[AsyncGenerator[object, None]]:
    return aclosing(cast("AsyncGenerator[object, None]", iterator))


STREAMS: dict[str, Stream] = {
    "watch": _watch,
    "figures": _figures,
    "difference": _difference,
    "logs": _logs,
    "operation": _operation,
}
"""Every verb that streams."""
