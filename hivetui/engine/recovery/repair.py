"""Repairs what earlier crashes left, whenever the engine is opened: scan, take the lock, scan again, apply, report.

A lock is never waited for: an agent that is busy is repaired the next time. Several engines may be opened at once; one
of them repairs. What a person has to decide is not repaired but reported as a warning (`warnings`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from hivetui.engine.events import event_log
from hivetui.engine.host import files, locks
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.errors import Busy, HiveError
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.warnings import Repair
from hivetui.engine.operations import interrupted
from hivetui.engine.recovery.scan import Area, Fix, areas

_FAILED = "could not be repaired"


async def repair(host: Host, name: str | None = None, dry_run: bool = False) -> tuple[Repair, ...]:
    """Repair what earlier crashes left, of one agent or of all, and report what was done (in a dry run: would be).

    Nothing happens while another engine repairs. A fix that fails is reported as such, and the others go on.
    CannotCreate or NotAllowed where nothing may be written, if something has to be repaired there.
    """
    if name is not None:
        names.check(name)
    if not host.paths.library.is_dir():
        return ()
    if dry_run:
        return tuple([planned async for planned in _plan(host, name)])
    if not host.paths.engine.is_dir() and not [planned async for planned in _plan(host, name)]:
        return ()  # the lock would create the state directory where nothing is to be done
    try:
        lock = locks.acquire(host.paths.locks / "repair", "repair")
    except Busy:
        return ()
    except HiveError as error:  # where nothing may be written, that matters only if something has to be repaired
        if not files.is_write_refusal(error) or [planned async for planned in _plan(host, name)]:
            raise
        return ()
    with lock:
        repairs = [*_repair_operations(host), *[done async for done in _repair_areas(host, name)]]
        for done in repairs:
            _log(host, done)
        return tuple(repairs)


def _log(host: Host, done: Repair) -> None:
    text = f"{done.found}: {done.done}"
    event = Event(time=host.clock(), kind=EventKind.REPAIRED, agent=done.agent, operator="repair", text=text)
    event_log.append(host.paths, event)


async def _plan(host: Host, name: str | None) -> AsyncIterator[Repair]:
    """What a repair would report, without a lock and without a change. What is locked now would be left alone."""
    for operation in interrupted.dead_operations(host.paths):
        yield _report(operation, "mark it as interrupted")
    for area in areas(host, name):
        if area.lock is None or locks.is_free(area.lock):
            async for planned in _plan_area(area):
                yield planned


async def _plan_area(area: Area) -> AsyncIterator[Repair]:
    try:
        async for fix in area.scan():
            yield fix.planned
    except HiveError as error:  # as in a repair: what cannot be looked at hides nothing elsewhere
        yield Repair(agent=None, found=error.what, done=f"{_FAILED}: {error.reason}")


def _repair_operations(host: Host) -> Iterator[Repair]:
    for operation in interrupted.mark_interrupted(host.paths, host.clock):
        yield _report(operation, "marked it as interrupted")


def _report(operation: Operation, done: str) -> Repair:
    found = f"operation {operation.id} ({operation.kind.value}) was killed before its end"
    return Repair(agent=operation.agent, found=found, done=done)


async def _repair_areas(host: Host, name: str | None) -> AsyncIterator[Repair]:
    for area in areas(host, name):
        if area.lock is None:
            async for done in _repair_area(area):
                yield done
            continue
        with suppress(Busy), locks.acquire(area.lock, "repair"):
            async for done in _repair_area(area):
                yield done


async def _repair_area(area: Area) -> AsyncIterator[Repair]:
    """Apply one fix after the other; the caller holds the lock of the area."""
    try:
        async for fix in area.scan():
            yield await _apply(fix)
    except HiveError as error:  # the scan itself failed, for example on a damaged repo
        yield Repair(agent=None, found=error.what, done=f"{_FAILED}: {error.reason}")


async def _apply(fix: Fix) -> Repair:
    try:
        return await fix.apply() or fix.applied
    except HiveError as error:
        return Repair(agent=fix.agent, found=fix.found, done=f"{_FAILED}: {error.what} ({error.reason})")
