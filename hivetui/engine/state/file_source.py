"""Changes of files, by inotify(7): of refs, configurations, intents and operations."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from asyncinotify import Event, Inotify, Mask, Watch

from hivetui.engine.host.paths import Paths
from hivetui.engine.state import watched
from hivetui.engine.state.dirty import Dirty
from hivetui.engine.state.watched import Effect

_CHANGES = Mask.CLOSE_WRITE | Mask.MOVE | Mask.CREATE | Mask.DELETE | Mask.ONLYDIR
_EVERYTHING = Dirty(everything=True)
log = logging.getLogger(__name__)


class FileSource:
    """Watches the directories of one hive, and reports what may have changed.

    `is_complete` is False when the system allows no further watches (fs.inotify.max_user_watches).
    """

    def __init__(self, paths: Paths, report: Callable[[Dirty], None]) -> None:
        self._paths, self._report = paths, report
        self._inotify = Inotify()
        self._watches: dict[Path, tuple[Watch, Effect]] = {}
        self._shared: set[Path] = set()
        self._awaited: dict[Path, set[str]] = {}
        """The entries whose creation is waited for, by the directory in which they will be."""
        self.is_complete = True

    def follow_shared(self) -> None:
        """Watch the directories that are there once; they are created with the first agent."""
        before, self._awaited = self._awaited, {}
        for directory, effect in watched.shared_directories(self._paths):
            self._shared.add(directory)
            self._watch_or_await(directory, effect)
        for directory in before.keys() - self._awaited.keys():
            if self._watches.get(directory, (None, None))[1] is _ignore:
                self._forget(directory)

    def follow_agents(self, agents: Iterable[str]) -> None:
        """Watch the directories of these agents that are not watched yet."""
        for name in agents:
            for directory, effect in watched.agent_directories(self._paths, name):
                self._watch(directory, effect)

    def follow_operations(self, operations: Iterable[int]) -> None:
        """Watch the directories of these operations."""
        for number in operations:
            self._watch(*watched.operation_directory(self._paths, number))

    def forget_operations(self, operations: Iterable[int]) -> None:
        """Stop watching the directories of these operations, which have ended."""
        for number in operations:
            self._forget(watched.operation_directory(self._paths, number)[0])

    async def run(self) -> None:
        """Report changes until it is cancelled."""
        async for event in self._inotify:
            if dirty := self._dirty(event):
                self._report(dirty)

    def close(self) -> None:
        """Stop watching."""
        self._inotify.close()

    def _watch_or_await(self, directory: Path, effect: Effect) -> None:
        """Watch a directory; one that does not exist is awaited in the nearest one above it that does."""
        if self._watch(directory, effect):
            return
        for below, above in pairwise((directory, *directory.parents)):
            if self._watch(above, _ignore):
                self._awaited.setdefault(above, set()).add(below.name)
                return

    def _forget(self, directory: Path) -> None:
        if (found := self._watches.pop(directory, None)) is not None:
            with suppress(OSError):  # the directory was removed
                self._inotify.rm_watch(found[0])

    def _watch(self, directory: Path, effect: Effect) -> bool:
        """Whether the directory is watched now."""
        if (known := self._watches.get(directory)) is not None:
            if effect is not _ignore:
                self._watches[directory] = (known[0], effect)
            return True
        try:
            watch = self._inotify.add_watch(directory, _CHANGES)
        except OSError as error:
            if error.errno == errno.ENOSPC and self.is_complete:
                self.is_complete = False
                log.warning("The limit of inotify watches is reached (sysctl fs.inotify.max_user_watches)")
            return False
        self._watches[directory] = (watch, effect)
        return True

    def _dirty(self, event: Event) -> Dirty:
        if event.mask & Mask.Q_OVERFLOW:
            return _EVERYTHING
        directory = event.watch.path if event.watch is not None else None
        if directory is None:
            return Dirty()
        _, effect = self._watches.get(directory, (None, None))
        if effect is None:
            return Dirty()
        if not event.mask & Mask.IGNORED:
            entry = str(event.name) if event.name is not None else ""
            return _EVERYTHING if entry in self._awaited.get(directory, ()) else effect(entry)
        del self._watches[directory]  # it was removed; there may be another one of its name already
        is_missed = directory in self._shared or directory in self._awaited
        return _EVERYTHING if is_missed else effect(watched.ANY_STATE_FILE)


def _ignore(_entry: str) -> Dirty:
    """The effect in a directory that is watched only for what is awaited in it."""
    return Dirty()
