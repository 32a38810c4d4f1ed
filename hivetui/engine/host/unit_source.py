"""Where the engine learns what the units of containers do, without asking again and again.

A host has one `UnitSource`: D-Bus on a real host (`containers/systemd_bus.py`), files and processes on an embedded one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Protocol


class UnitSource(Protocol):
    """Tells which units changed."""

    def changes(self) -> AsyncGenerator[frozenset[str], None]:
        """The containers whose unit may have changed, whenever that happens, until the reader closes the stream.

        The first batch comes when the source is listening, and may be empty: what is read after it misses nothing.
        Unavailable when the source cannot be used, or is lost.
        """
        ...

    async def active_states(self) -> dict[str, str]:
        """The ActiveState (systemd's word) of every loaded unit of a container, by container, to compare with.

        It starts no process. Unavailable as for `changes`.
        """
        ...

    async def properties(self, containers: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """The properties of the units of these containers, as `systemctl show --timestamp=unix` prints them.

        It starts no process. Units that are not loaded are left out. Unavailable as for `changes`, and for more
        containers than are well read so.
        """
        ...
