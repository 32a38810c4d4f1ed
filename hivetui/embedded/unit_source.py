"""The units of an embedded host as a source of changes: their state files, and the death of their processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from pathlib import Path

from asyncinotify import Inotify, Mask

from hivetui.embedded import systemctl, units
from hivetui.embedded.layout import Layout
from hivetui.engine.host.process_watch import ProcessWatch

_WRITTEN = Mask.MOVED_TO | Mask.DELETE
"""A state file is replaced by a rename, and removed for an inactive unit."""


class EmbeddedUnits:
    """The source of one embedded host."""

    def __init__(self, root: Path) -> None:
        self._layout = Layout(root)

    async def changes(self) -> AsyncGenerator[frozenset[str], None]:
        """The containers whose state file was replaced or removed, or whose process ended."""
        self._layout.units.mkdir(parents=True, exist_ok=True)
        changed: asyncio.Queue[str] = asyncio.Queue()
        deaths = ProcessWatch(changed.put_nowait)
        with Inotify() as inotify:
            inotify.add_watch(self._layout.units, _WRITTEN)
            reading = asyncio.create_task(_forward(inotify, changed))
            try:
                for unit in units.loaded(self._layout):
                    _watch_process(deaths, unit)
                yield frozenset()
                while True:
                    container = await changed.get()
                    _watch_process(deaths, units.read(self._layout, container))
                    yield frozenset((container,))
            finally:
                reading.cancel()
                deaths.close()

    async def active_states(self) -> dict[str, str]:
        """From the state files."""
        return {unit.container: unit.active for unit in units.loaded(self._layout)}

    async def properties(self, containers: Collection[str]) -> dict[str, dict[str, str]]:
        """From the state files, as the stand-in of systemctl prints them."""
        found = (units.read(self._layout, container) for container in containers)
        return {
            unit.container: systemctl.properties(self._layout, unit, "unix")
            for unit in found
            if unit.active != "inactive"
        }


def _watch_process(deaths: ProcessWatch[str], unit: units.Unit) -> None:
    if unit.active == "active":
        deaths.watch(unit.container, unit.pid)


async def _forward(inotify: Inotify, changed: asyncio.Queue[str]) -> None:
    """Queue the container of every state file that changes; temporary and lock files begin with a dot."""
    async for event in inotify:
        name = event.name
        if name is not None and name.suffix == ".json" and not name.name.startswith("."):
            changed.put_nowait(name.stem)
