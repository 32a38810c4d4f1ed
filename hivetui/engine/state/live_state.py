"""The snapshot of a hive, kept up to date while somebody reads it, and its numbered changes."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from hivetui.engine import slow_program
from hivetui.engine.host.host import Host
from hivetui.engine.host.process_watch import ProcessWatch
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.state import Figures, HiveSnapshot, StateUpdate, find_change
from hivetui.engine.model.warnings import HiveWarning
from hivetui.engine.operations.directory import directory_of
from hivetui.engine.review.findings.assess import Assessor
from hivetui.engine.state.comparison import Comparison
from hivetui.engine.state.dirty import Dirty
from hivetui.engine.state.figures import MIN_SECONDS, FiguresSampler, find_news
from hivetui.engine.state.file_source import FileSource
from hivetui.engine.state.parts import HiveParts

_COALESCE_SECONDS = 0.03
"""One act changes several files: they are read once, when it is done."""
_KEPT_CHANGES = 1000
"""Changes that a reader who was away can still be told; after more it gets a new snapshot."""
_RETRY_SECONDS = 5.0
COMPARE_SECONDS = 60.0
_WAITS_SECONDS = 1.0
"""How often it is looked for a program that hangs, in whatever the engine does."""


class LiveState:
    """The state of the hive on `host`, which is watched while somebody reads it."""

    def __init__(
        self,
        host: Host,
        unit_source: UnitSource,
        assessor: Assessor,
        compare_seconds: float = COMPARE_SECONDS,
        find_leftovers: Callable[[], Awaitable[tuple[HiveWarning, ...]]] | None = None,
    ) -> None:
        """With `find_leftovers`, what crashes left is looked for again and again, and warned of."""
        self.instance = secrets.token_hex(8)
        self.parts = HiveParts(host, unit_source)
        self._assessor, self._has_unassessed = assessor, asyncio.Event()
        self._sampler = FiguresSampler(host, lambda: self.parts.units)
        self._find_leftovers = find_leftovers
        self._host, self._unit_source, self._compare_seconds = host, unit_source, compare_seconds
        self._snapshot, self._seq = HiveSnapshot(), 0
        self._changes: deque[StateUpdate] = deque(maxlen=_KEPT_CHANGES)
        self._changed = asyncio.Condition()
        self._dirty, self._is_dirty = Dirty(), asyncio.Event()
        self._failure: Exception | None = None
        self._readers = 0
        self._keeping: asyncio.Task[None] | None = None
        self._is_current = False

    async def watch(self, after: int | None = None, instance: str | None = None) -> AsyncGenerator[StateUpdate, None]:
        """A snapshot, then every change; with the number and instance of an earlier stream, only what came after it."""
        is_known = instance == self.instance and after is not None and self._has_changes_after(after)
        async with self._reading(), aclosing(self._updates(after if is_known else None)) as updates:
            async for update in updates:
                yield update

    async def figures(self) -> AsyncGenerator[tuple[Figures, ...], None]:
        """The figures of every running container, and from then on those that differ noticeably."""
        told: dict[str, Figures] = {}
        async with self._reading():
            pause = MIN_SECONDS  # the CPU share is known from the second sample on
            while True:
                await self._wait_for_change_after(0)
                if news := find_news(told, await self._sampler.sample()):
                    told |= {one.container: one for one in news}
                    yield news
                await asyncio.sleep(pause)
                pause = self._sampler.seconds

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[None, None]:
        """Watch the hive as long as there are readers."""
        self._readers += 1
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                await self.close()

    async def _updates(self, seq: int | None) -> AsyncGenerator[StateUpdate, None]:
        """The updates after a number that is known; with None a snapshot first."""
        while True:
            await self._wait_for_change_after(seq or 0)
            if seq is None or not self._has_changes_after(seq):
                seq = self._seq
                yield StateUpdate(instance=self.instance, seq=seq, snapshot=self._snapshot)
            for update in [one for one in self._changes if one.seq > seq]:
                seq = update.seq
                yield update

    async def _wait_for_change_after(self, seq: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._failure is not None or (self._is_current and self._seq > seq))
        if self._failure is not None:
            raise self._failure

    def _has_changes_after(self, seq: int) -> bool:
        """Whether every change after this number is still known."""
        return seq <= self._seq and (seq == self._seq or (bool(self._changes) and self._changes[0].seq <= seq + 1))

    async def close(self) -> None:
        """Stop watching the hive; the numbers go on at the next `watch`."""
        keeping, self._keeping, self._is_current = self._keeping, None, False
        self._sampler.close()
        if keeping is not None:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    def report(self, dirty: Dirty) -> None:
        """Read this again soon."""
        self._dirty.add(dirty)
        self._is_dirty.set()

    async def _keep(self) -> None:
        """Run the sources and read what they report; a bug in them is raised by every reader."""
        files = self._files = FileSource(self._host.paths, self.report)
        workers = self._workers = ProcessWatch[int](lambda number: self.report(Dirty(operations={number})))
        try:
            async with asyncio.TaskGroup() as group:
                sources = (self._files.run(), self._follow_units(), self._compare(), self._read(), self._assess())
                for source in (*sources, self._follow_leftovers()):
                    group.create_task(source)
                group.create_task(self._tell_waits())
        except* Exception as errors:  # noqa: BLE001  (passed to every reader, who raises it)
            self._failure = errors.exceptions[0]
            async with self._changed:
                self._changed.notify_all()
        finally:
            files.close()  # not those of the attributes, which the next reader may have replaced by now
            workers.close()

    async def _follow_units(self) -> None:
        """Report units that change; a source that is lost is opened again, and everything is read anew."""
        while True:
            with suppress(HiveError):
                async for containers in self._unit_source.changes():
                    self.report(Dirty(units=set(containers)) if containers else Dirty(everything=True))
            self.report(Dirty(everything=True))
            await asyncio.sleep(_RETRY_SECONDS)

    async def _compare(self) -> None:
        comparison = Comparison(self._host, self.parts, self._unit_source)
        while True:
            await asyncio.sleep(self._compare_seconds)
            self.report(await comparison.run())

    async def _follow_leftovers(self) -> None:
        """Look for what crashes left, once the state is there, which is shown before."""
        while self._find_leftovers is not None:
            await self._wait_for_change_after(0)
            with suppress(HiveError):
                self.parts.leftovers = await self._find_leftovers()
                self.report(Dirty(hive=True))
            await asyncio.sleep(self._compare_seconds)

    async def _assess(self) -> None:
        """Look for the findings of each proposal once, beside the rest, which is published before."""
        while True:
            await self._has_unassessed.wait()
            self._has_unassessed.clear()
            for proposal in self.parts.unassessed():
                (assessed,) = await self._assessor.add_findings([proposal])
                self.parts.take_findings(proposal, assessed)
                await self._publish(self._snapshot.problem)

    async def _tell_waits(self) -> None:
        """Publish what is waited for while it is, also for a review or a log, which do not make the lists older."""
        begun, loop = asyncio.Event(), asyncio.get_running_loop()
        with slow_program.listening(lambda: loop.call_soon_threadsafe(begun.set)):
            if slow_program.is_waiting():
                begun.set()
            while True:
                await begun.wait()
                begun.clear()
                while slow_program.is_waiting() or self._snapshot.waits_for:
                    await asyncio.sleep(_WAITS_SECONDS)
                    if self._is_current and (slow_program.describe_slow_program() or "") != self._snapshot.waits_for:
                        await self._publish(self._snapshot.problem)

    async def _read(self) -> None:
        while True:
            await self._is_dirty.wait()
            if self._is_current:  # somebody waits for the first state
                await asyncio.sleep(_COALESCE_SECONDS)
            dirty, self._dirty = self._dirty, Dirty()
            self._is_dirty.clear()
            before = self.parts.running_operations
            self._follow_files(dirty)
            problem = await self._read_parts(dirty)
            self._follow_operations(before)
            await self._publish(problem)

    def _follow_files(self, dirty: Dirty) -> None:
        """Watch first and read then, so that nothing that changes meanwhile is missed."""
        if dirty.everything or dirty.meta or not self._seq:  # meta has a new directory with its first tag of each kind
            self._files.follow_shared()
        if dirty.everything or not self._seq:
            self._files.follow_agents(self.parts.list_agents())
        self._files.follow_agents(dirty.agents)
        self._files.follow_operations(dirty.operations)

    def _follow_operations(self, before: frozenset[int]) -> None:
        running = self.parts.running_operations
        self._files.follow_operations(running - before)
        self._files.forget_operations(before - running)
        for number in running:
            with suppress(OSError, ValueError):  # it has not written who it is yet, and is reported when it does
                self._workers.watch(number, directory_of(self._host.paths, number).read_worker().pid)
        for number in before - running:
            self._workers.forget(number)

    async def _read_parts(self, dirty: Dirty) -> str:
        """Read them; what could not be read, which is then tried again. While a program hangs, publish the rest."""
        reading = asyncio.ensure_future(self.parts.read(dirty))
        try:
            while not (await asyncio.wait([reading], timeout=slow_program.SECONDS))[0]:
                await self._publish(slow_program.describe_slow_program() or self._snapshot.problem)
            reading.result()
        except HiveError as error:
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self.report, dirty)
            return ": ".join(filter(None, (error.what, error.why.partition("\n")[0])))
        finally:
            reading.cancel()
        return ""

    async def _publish(self, problem: str) -> None:
        """Number the change since the last snapshot, if there is one, and wake the readers."""
        texts = {"problem": problem, "waits_for": slow_program.describe_slow_program() or ""}
        snapshot = self.parts.snapshot().model_copy(update=texts)
        change = find_change(self._snapshot, snapshot) if self._seq else None  # the first is given whole
        was_current, self._is_current = self._is_current, True
        if change is None and self._seq and was_current:
            return
        if change is not None or not self._seq:
            self._seq, self._snapshot = self._seq + 1, snapshot
        if change is not None:
            self._changes.append(StateUpdate(instance=self.instance, seq=self._seq, change=change))
        async with self._changed:
            self._changed.notify_all()
        if self.parts.unassessed():
            self._has_unassessed.set()
