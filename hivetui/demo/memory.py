"""What a demo remembers in its directory: its cast, and which agents it has spawned.

A demo that is opened again starts its agents, and spawns none a second time: what the person destroyed stays destroyed.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hivetui.embedded.files import read_json, write_json

from .cast import Cast


class Memory:
    """The memory of the demo in a directory; a spawn that was cut off is no spawn, and is done again."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "demo.json"
        saved = read_json(self._file)
        self.cast = Cast(*saved["cast"]) if saved else None
        self._spawned: set[str] = set(saved.get("spawned", ()))

    def begin(self, cast: Cast, known: Collection[str]) -> None:
        """Remember the cast of a hive that has none; of one from before demos had a memory, all agents were spawned."""
        if self.cast is None:
            self.cast = cast
            self._spawned |= set(known)
            self._save(cast)

    def has_spawned(self, name: str) -> bool:
        """Whether this demo has spawned an agent, now or when it was opened before."""
        return name in self._spawned

    def note_spawned(self, name: str) -> None:
        """Remember that an agent was spawned."""
        assert self.cast is not None, "begin comes first"
        self._spawned.add(name)
        self._save(self.cast)

    def _save(self, cast: Cast) -> None:
        write_json(self._file, {"cast": list(cast), "spawned": sorted(self._spawned)})
