"""The regular comparison of what is known with what is on disk, to catch what no source of changes told.

It looks at the identity of directories and files, in slices, and reads nothing of an agent that has not changed.
"""

from __future__ import annotations

import asyncio
import logging

from hivetui.engine.host.host import Host
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.model.errors import HiveError
from hivetui.engine.state import watched
from hivetui.engine.state.dirty import Dirty
from hivetui.engine.state.parts import HiveParts

_SLICE = 50
"""Agents that are looked at before the event loop serves others: about 2 ms."""
log = logging.getLogger(__name__)


class Comparison:
    """Compares one hive with its parts, again and again."""

    def __init__(self, host: Host, parts: HiveParts, unit_source: UnitSource) -> None:
        self._host, self._parts, self._unit_source = host, parts, unit_source
        self._signatures: dict[str, object] = {}

    async def run(self) -> Dirty:
        """What has to be read again; warnings that depend on other processes and on the time always are."""
        dirty = Dirty(hive=True)
        dirty.agents = await self._changed_agents()
        dirty.units = await self._changed_units()
        dirty.operations = set(self._parts.list_running_operations() ^ self._parts.running_operations)
        dirty.meta = self._has_changed("", watched.meta_signature(self._host.paths), self._parts.meta_reads)
        if dirty.agents or dirty.units or dirty.operations or dirty.meta:
            log.error("A change was found that no source had reported (a bug): %s", dirty)
        dirty.agents |= self._parts.failed_agents()
        return dirty

    async def _changed_agents(self) -> set[str]:
        changed = set()
        for number, name in enumerate(sorted({*self._parts.list_agents(), *self._parts.agents})):
            if self._has_changed(name, watched.signature(self._host.paths, name), self._parts.reads_of(name)):
                changed.add(name)
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        return changed

    def _has_changed(self, key: str, signature: object, reads: int) -> bool:
        """Whether the files are others than the last time, although nothing made us read them since."""
        before, self._signatures[key] = self._signatures.get(key), (signature, reads)
        return before is not None and before != (signature, reads) and before[1] == reads  # type: ignore[index]

    async def _changed_units(self) -> set[str]:
        try:
            active = await self._unit_source.active_states()
        except HiveError:
            return set()  # the connection is lost, and everything is read when it is there again
        known = {name: unit.active for name, unit in self._parts.units.items()}
        return {name for name, state in known.items() if active.get(name, "inactive") != state}
