"""The hooks: programs of `[hooks]` that run when something happens in the hive, with the event as JSON on stdin.

One engine of a hive runs them, beside everything else, a few at a time and each for a limited time. One that fails is
an entry of the event log and of the engine's log; nothing waits for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from pathlib import Path

from hivetui.engine.events import event_log
from hivetui.engine.hive import LocalHive
from hivetui.engine.host import locks
from hivetui.engine.host.host import Command
from hivetui.engine.host.runner import command_failed
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.notices import Notice
from hivetui.engine.model.schema import SCHEMA
from hivetui.engine.model.text import safe
from hivetui.engine.notices import NoticeFinder

AT_ONCE, MAX_QUEUED = 4, 1000
"""Hooks that run at the same time, and events that wait for that; what comes when so many wait runs none."""
_RETRY_SECONDS, _OTHER_ENGINE_SECONDS = 5.0, 60.0
_CLOSE_SECONDS = 2.0
"""How long hooks that were begun may take when the engine ends."""
_KEPT_OUTPUT_BYTES, _REASON_CELLS = 4096, 300
log = logging.getLogger(__name__)


class Hooks:
    """Runs the hooks of one hive."""

    def __init__(self, hive: LocalHive) -> None:
        self._hive, self._host = hive, hive.host
        self._section = hive.host.settings.hooks
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(MAX_QUEUED)
        self._running: set[asyncio.Task[None]] = set()
        self._is_full = False

    async def run(self) -> None:
        """Run hooks until cancelled. While another engine of this hive does, wait for its end."""
        if not self._section.commands:
            return
        while True:
            try:
                with locks.acquire(self._host.paths.locks / "hooks", "hivetui engine"):
                    await self._serve()
            except HiveError:  # another engine has it, or nothing can be written here
                await asyncio.sleep(_OTHER_ENGINE_SECONDS)

    async def _serve(self) -> None:
        starting = asyncio.create_task(self._start_hooks())
        try:
            await self._follow()
        finally:
            starting.cancel()
            if self._running:
                await asyncio.wait(self._running, timeout=_CLOSE_SECONDS)
            for task in self._running:
                task.cancel()
            await asyncio.gather(starting, *self._running, return_exceptions=True)

    async def _follow(self) -> None:
        """Find what happens, again after the stream of changes has failed."""
        finder = NoticeFinder(self._hive, self._add)
        seq: int | None = None
        try:
            while True:
                try:
                    async with aclosing(self._hive.watch(seq, self._hive.instance)) as updates:
                        async for update in updates:
                            finder.take(update)
                            seq = update.seq
                except HiveError as error:
                    log.error("Hooks do not hear of what happens: %s", error.what)
                await asyncio.sleep(_RETRY_SECONDS)
        finally:
            finder.close()

    def _add(self, notice: Notice) -> None:
        if notice.kind.value not in self._section.commands:
            return
        try:
            self._queue.put_nowait(notice)
        except asyncio.QueueFull:
            if not self._is_full:
                log.error("No hook runs for some events: %d wait already", MAX_QUEUED)
            self._is_full = True

    async def _start_hooks(self) -> None:
        slots = asyncio.Semaphore(AT_ONCE)
        while True:
            notice = await self._queue.get()
            self._is_full = False
            await slots.acquire()
            task = asyncio.create_task(self._run_hook(notice))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda _: slots.release())

    async def _run_hook(self, notice: Notice) -> None:
        command = Command(
            argv=self._section.commands[notice.kind.value],
            cwd=Path("/"),
            stdin=encode(notice, self._hive.description.title),
            timeout=self._section.timeout,
            keep=_KEPT_OUTPUT_BYTES,
            awaited=False,
        )
        try:
            completed = await self._host.runner.run(command, _ignore_line)
        except HiveError as error:
            self._note_failure(notice, error)
        else:
            if completed.status != 0 or completed.timed_out:
                self._note_failure(notice, command_failed(completed))

    def _note_failure(self, notice: Notice, error: HiveError) -> None:
        text = f"hook {notice.kind.value}: {error.what}" + (f": {error.reason}" if error.why else "")
        log.error("%s", safe(text, _REASON_CELLS))
        found = {"agent": notice.agent, "proposal": notice.proposal, "operation": notice.operation}
        event = Event(time=self._host.clock(), kind=EventKind.HOOK_FAILED, text=text, **found)
        event_log.append(self._host.paths, event)


def _ignore_line(stream: str, line: str, cut: int) -> None:
    """What a hook says is no message about the hive, as that of its other programs is."""


def encode(notice: Notice, hive: str) -> bytes:
    """The line that a hook reads."""
    facts = {"agent": notice.agent, "proposal": notice.proposal, "operation": notice.operation, "text": notice.text}
    return json.dumps({"schema": SCHEMA, "event": notice.kind.value, "hive": hive, **facts}).encode() + b"\n"
