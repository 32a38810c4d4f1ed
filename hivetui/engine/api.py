"""All that anything above the engine may ask of a hive: one protocol, whoever stands behind it.

`hive.LocalHive` is the engine in this process; a client over a connection speaks the same. Every method raises a
`HiveError` for an expected failure. Every stream ends when its reader closes it, and costs the hive nothing then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from hivetui.engine.model.agents import Agent, AgentDetail, SpawnAdvice
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.events import Event
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.operations import Entry, Operation, OperationKind
from hivetui.engine.model.proposals import Deployment, Proposal
from hivetui.engine.model.review import Review
from hivetui.engine.model.warnings import Check, HiveWarning, Repair


class Hive(Protocol):
    """A hive: its state, its decisions, its operations and its streams."""

    @property
    def description(self) -> HiveDescription:
        """Which hive this is."""
        ...

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What earlier crashes had left and was settled when the hive was opened."""
        ...

    @property
    def trouble(self) -> HiveError | None:
        """Why not all of that could be settled."""
        ...

    async def agents(self) -> tuple[Agent, ...]:
        """Every agent and its state, by one sweep; the manager first, then by name; kept ones last."""
        ...

    async def agent(self, name: str) -> AgentDetail:
        """One agent with its places, mounts, limits and last deploys."""
        ...

    async def spawn_advice(self, name: str) -> SpawnAdvice:
        """What spawning `name` would mean; never raises for a bad name."""
        ...

    async def proposals(self, decided: bool = False, agent: str | None = None) -> tuple[Proposal, ...]:
        """What waits, oldest first; with `decided`, then what was decided, newest first."""
        ...

    async def review(self, proposal: int, base: str | None = None) -> Review:
        """All of a review but the difference; against applied main unless another base is named."""
        ...

    def difference(
        self, proposal: int, base: str, context: int = 3, ignore_whitespace: bool = False
    ) -> AsyncIterator[bytes]:
        """The difference from commit `base` to the proposal, as git's unified diff, in chunks; text is not yet safe."""
        ...

    async def submit(self, agent: str, commit: str | None = None, description: str = "") -> Proposal:
        """Pin a commit of the proposed repo (its main when None) as a proposal."""
        ...

    async def request_spawn(self, agent: str, description: str = "") -> Proposal:
        """A proposal of kind spawn."""
        ...

    async def approve(
        self, proposal: int, commit: str | None, base: str | None, note: str = "", acknowledged: tuple[str, ...] = ()
    ) -> Operation:
        """Claim and start its deploy; Stale unless commit and base are what is there (both None: a spawn)."""
        ...

    async def deny(self, proposal: int, note: str) -> Proposal:
        """Refuse a pending proposal, with a note."""
        ...

    async def withdraw(self, proposal: int) -> Proposal:
        """Take a pending proposal back."""
        ...

    async def rollback(self, agent: str, to: int, note: str) -> Operation:
        """Start a deploy of the commit of an earlier deployed proposal, under a new id."""
        ...

    async def begin(self, kind: OperationKind, agent: str, wait: bool = False) -> Operation:
        """Start spawn, start, stop, restart, rebuild, destroy or purge; Busy at once unless `wait`."""
        ...

    async def operations(self, ended: bool = False) -> tuple[Operation, ...]:
        """What runs, newest first; with `ended`, also what ran."""
        ...

    async def operation(self, operation: int) -> Operation:
        """One operation as it stands."""
        ...

    def follow(self, operation: int, after: int = 0) -> AsyncIterator[tuple[Entry, ...]]:
        """The entries of an operation's record with a number above `after`, from the beginning until its end."""
        ...

    async def cancel(self, operation: int) -> None:
        """End a running operation and its children; the host is left as a failure at that step leaves it."""
        ...

    async def history(self, agent: str | None = None) -> tuple[Deployment, ...]:
        """Every deploy, newest first, of one agent or all."""
        ...

    async def warnings(self) -> tuple[HiveWarning, ...]:
        """The standing warnings."""
        ...

    async def repair(self, agent: str | None = None, dry_run: bool = False) -> tuple[Repair, ...]:
        """Settle what earlier crashes left, and tell what was done."""
        ...

    async def doctor(self) -> tuple[Check, ...]:
        """Whether this host is fit."""
        ...

    def logs(self, query: LogQuery) -> AsyncIterator[list[LogLine]]:
        """Lines of the agents' logs merged by time, in batches."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """What happens from now on, by whichever process."""
        ...

    async def close(self) -> None:
        """End every stream; operations go on."""
        ...
