"""The demo off a terminal: a short story in a hive of its own, told on stdout, from the first agent to the history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hivetui.demo import drafts
from hivetui.demo.cast import Cast, cast, shuffled
from hivetui.demo.home import home
from hivetui.demo.manager import Manager
from hivetui.demo.stage import open_hive
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import CannotCreate, HiveError, OperationFailed
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.text import safe

from . import render

Say = Callable[[str], None]

_WIDTH = 100  # of a line of output


def main(keep: str | None = None) -> int:
    """Tell the story on stdout; the exit status."""
    if keep:
        _refuse_used(Path(keep).expanduser())
    with home(keep) as folder:
        asyncio.run(_tour(folder, print))
        if keep:
            print(f"\nThe hive stays in {folder}. Look around: hivetui --embedded {folder} agents")
    return 0


def _refuse_used(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise CannotCreate(f"{folder} is not empty", "The story needs a hive of its own.", "Name a new folder.")


async def _tour(folder: Path, say: Say) -> None:
    opened = await open_hive(folder)
    who = cast(opened.host, shuffled)
    try:
        await Story(opened, Manager(opened.host, who, pace=0), who, say).tell()
    finally:
        await opened.close()


class Story:
    """The story, scene by scene, on a hive that is empty at its beginning."""

    def __init__(self, opened: Hive, manager: Manager, who: Cast, say: Say) -> None:
        self._hive, self._manager, self._who, self._say = opened, manager, who, say

    async def tell(self) -> None:
        """All scenes in order."""
        self._say("This is a hive in a folder: the real engine and real git, with stand-ins for NixOS.")
        for scene in (self.spawn, self.approve, self.fail, self.deny, self.collide, self.look_back):
            await scene()

    async def spawn(self) -> None:
        """Three agents are made, side by side."""
        self._title("Three agents")
        await asyncio.gather(*map(self._begin, self._who[:3]))
        await self._show_agents()

    async def approve(self) -> None:
        """A change is proposed, read, approved, built and deployed."""
        self._title(f"The manager proposes a change for {self._who.reader}")
        proposal = await self._propose(drafts.SEARCH)
        await self._show_review(proposal.id)
        self._say("\nThe operator approves exactly that commit. It is built before anything is touched:\n")
        await self._follow(await self._hive.approve(proposal.id, proposal.commit, proposal.base))

    async def fail(self) -> None:
        """A change that does not build leaves the agent as it was."""
        self._title(f"A proposal for {self._who.writer} that does not build")
        proposal = await self._propose(drafts.TYPO)
        await self._follow(await self._hive.approve(proposal.id, proposal.commit, proposal.base))
        ended = (await self._hive.review(proposal.id)).proposal
        self._say(f"\nProposal {ended.id} is {ended.state.value}, and {self._who.writer} runs on as it was.")

    async def deny(self) -> None:
        """A change is read and refused."""
        self._title(f"A proposal for {self._who.early} that nobody should approve")
        proposal = await self._propose(drafts.FISHY)
        await self._show_review(proposal.id)
        denied = await self._hive.deny(proposal.id, "It downloads and runs a script of a stranger.")
        self._say(f"\nProposal {denied.id} is {denied.state.value}: {safe(denied.note or '')}")

    async def collide(self) -> None:
        """Two names can share a port, and then only one of them can run."""
        self._title("An agent whose port is taken")
        self._say(f"$ hivetui spawn {self._who.late}")
        try:
            await self._begin(self._who.late)
        except HiveError as refusal:
            for line in str(refusal).splitlines():
                self._say(f"  {safe(line)}")

    async def look_back(self) -> None:
        """What the hive remembers."""
        self._title("What is left of it")
        await self._show_agents()
        self._say("")
        self._lines(render.history(await self._hive.history(), datetime.now(UTC)))

    async def _propose(self, draft: drafts.Draft) -> Proposal:
        proposal = await self._manager.propose(draft, 1)
        assert proposal is not None
        return proposal

    async def _begin(self, name: str) -> None:
        ended = await self._follow(await self._hive.begin(OperationKind.SPAWN, name), f"{name:<6} ")
        if ended.state is not OperationState.SUCCEEDED:
            raise OperationFailed(f"{name} was not spawned", ended.error or "", "Try again: hivetui demo")

    async def _follow(self, operation: Operation, prefix: str = "") -> Operation:
        async for entries in self._hive.follow(operation.id):
            for line in filter(None, map(render.entry, entries)):
                self._say(prefix + safe(line, _WIDTH))
        ended = await self._hive.operation(operation.id)
        self._say(prefix + render.ending(ended))
        return ended

    async def _show_agents(self) -> None:
        self._say("")
        self._lines(render.agents(await self._hive.agents(), datetime.now(UTC)))

    async def _show_review(self, proposal: int) -> None:
        review = await self._hive.review(proposal)
        self._lines(render.review(review, datetime.now(UTC)))
        difference = b"".join([chunk async for chunk in self._hive.difference(proposal, review.proposal.base or "")])
        self._lines([f"  {safe(line)}" for line in difference.decode("utf-8", "backslashreplace").splitlines()])

    def _title(self, text: str) -> None:
        self._say(f"\n── {text} {'─' * (70 - len(text))}\n")

    def _lines(self, lines: list[str]) -> None:
        for line in lines:
            self._say(line)
