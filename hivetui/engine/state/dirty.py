"""What may have changed and has to be read again."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Dirty:
    """Agents by name, units by container, operations by id; `meta` is the meta repo, `everything` all of it.

    `hive` are the warnings that are about no single agent.
    """

    agents: set[str] = field(default_factory=set)
    units: set[str] = field(default_factory=set)
    operations: set[int] = field(default_factory=set)
    meta: bool = False
    hive: bool = False
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.agents or self.units or self.operations or self.meta or self.hive or self.everything)

    def add(self, other: Dirty) -> None:
        """Add what is dirty in `other`."""
        self.agents |= other.agents
        self.units |= other.units
        self.operations |= other.operations
        self.meta |= other.meta
        self.hive |= other.hive
        self.everything |= other.everything
