"""The demo without a terminal: a narrated tour of a hive, printed to stdout, from the first agent to the history."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from hivetui.cli import render
from hivetui.cli.output import translate_write_errors
from hivetui.demo import drafts
from hivetui.demo.cast import Cast, cast, shuffled
from hivetui.demo.home import home
from hivetui.demo.manager import Manager, manager_at_door
from hivetui.demo.stage import end_operations, open_hive
from hivetui.engine.api import Hive
from hivetui.engine.host import files
from hivetui.engine.model.errors import CannotCreate, HiveError, Interrupted, OperationFailed
from hivetui.engine.model.history import combine
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.text import safe
from hivetui.widgets.log.binary import ENTRY_KIND, merge_binary_batches

Print = Callable[[str], None]
"""Prints one line."""

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_WIDTH = 100
"""Longer lines of output are cut to this many columns."""


def main(keep: str | None = None) -> int:
    """Print the tour and return the exit status; with `keep`, the hive stays in that folder.

    However it ends (a signal, a closed pipe), its operations and agents have ended too, and the folder is removed.
    """
    if keep:
        _require_empty(Path(keep).expanduser())
    _handle_signals(_interrupt)
    with home(keep) as folder:
        try:
            asyncio.run(_run(folder, _print_line))
        except asyncio.CancelledError:
            return Interrupted.code
        finally:
            _handle_signals(signal.SIG_IGN)
            with suppress(TimeoutError):
                asyncio.run(end_operations(folder))
        if keep:
            print(f"\nThe hive stays in {folder}. Explore it: hivetui --embedded {folder} agents")
    return 0


def _print_line(text: str) -> None:
    with translate_write_errors():
        print(text, flush=True)


def _handle_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in _ENDING_SIGNALS:
        signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Before and after the event loop, a signal ends the tour as Ctrl-C does, so that its folder is removed."""
    raise KeyboardInterrupt


def _require_empty(folder: Path) -> None:
    with files.translate_os_errors(f"The demo cannot be kept in {folder}"):
        is_used = folder.exists() and any(folder.iterdir())
    if is_used:
        raise CannotCreate(f"{folder} is not empty", "The tour needs a hive of its own.", "Give a new folder.")


async def _run(folder: Path, print_line: Print) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in _ENDING_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    opened = await open_hive(folder)
    names = cast(opened.host, shuffled)
    try:
        async with manager_at_door(opened, names, pace=0) as manager:
            await Tour(opened, manager, names, print_line).run()
    finally:
        await opened.close()


class Tour:
    """The scenes of the tour, on a hive that is empty at first."""

    def __init__(self, opened: Hive, manager: Manager, names: Cast, print_line: Print) -> None:
        self._hive, self._manager, self._names, self._print = opened, manager, names, print_line

    async def run(self) -> None:
        """Run all scenes in order."""
        self._print("This is a hive in a folder: the real engine and real git, with stand-ins for NixOS.")
        for scene in (self.spawn, self.approve, self.fail, self.deny, self.collide, self.look_back):
            await scene()

    async def spawn(self) -> None:
        """Spawn three agents, concurrently."""
        self._title("Three agents")
        await asyncio.gather(*map(self._begin, self._names[:3]))
        await self._show_agents()

    async def approve(self) -> None:
        """Propose, review, approve, build and deploy a change."""
        self._title(f"The manager proposes a change for {self._names.reader}")
        proposal = await self._propose(drafts.SEARCH)
        await self._show_review(proposal.id)
        self._print("\nThe operator approves exactly that commit. It is built before the container is touched:\n")
        await self._follow(await self._hive.approve(proposal.id, proposal.commit, proposal.base))

    async def fail(self) -> None:
        """Approve a change that does not build: the agent keeps running its previous version."""
        self._title(f"A proposal for {self._names.writer} that does not build")
        proposal = await self._propose(drafts.TYPO)
        await self._follow(await self._hive.approve(proposal.id, proposal.commit, proposal.base))
        ended = (await self._hive.review(proposal.id)).proposal
        self._print(
            f"\nProposal {ended.id} {ended.state.value}; {self._names.writer} keeps running its previous version."
        )

    async def deny(self) -> None:
        """Review a change and deny it."""
        self._title(f"A proposal for {self._names.early} that no one should approve")
        proposal = await self._propose(drafts.FISHY)
        await self._show_review(proposal.id)
        denied = await self._hive.deny(proposal.id, "It downloads and runs an untrusted script.")
        self._print(f"\nProposal {denied.id} was {denied.state.value}: {safe(denied.note or '')}")

    async def collide(self) -> None:
        """Spawn an agent whose name maps to the port of another one: only one of them can run."""
        self._title("An agent whose port is in use")
        self._print(f"$ hivetui spawn {self._names.late}")
        try:
            await self._begin(self._names.late)
        except HiveError as refusal:
            for line in str(refusal).splitlines():
                self._print(f"  {safe(line)}")

    async def look_back(self) -> None:
        """Show the agents and the history."""
        self._title("The result")
        await self._show_agents()
        self._print("")
        entries = combine(await self._hive.history(), await self._hive.proposals(decided=True))
        self._lines(render.history(entries, datetime.now(UTC)))

    async def _propose(self, draft: drafts.Draft) -> Proposal:
        proposal = await self._manager.propose(draft, 1)
        assert proposal is not None
        return (await self._hive.review(proposal)).proposal

    async def _begin(self, name: str) -> None:
        ended = await self._follow(await self._hive.begin(OperationKind.SPAWN, name), f"{name:<6} ")
        if ended.state is not OperationState.SUCCEEDED:
            raise OperationFailed(f"{name} was not spawned", ended.error or "", "Try again: hivetui demo")

    async def _follow(self, operation: Operation, prefix: str = "") -> Operation:
        async for entries in merge_binary_batches(self._hive.follow(operation.id), ENTRY_KIND):
            for line in filter(None, map(render.entry, entries)):
                self._print(prefix + safe(line, _WIDTH))
        ended = await self._hive.operation(operation.id)
        self._print(prefix + render.outcome(ended))
        return ended

    async def _show_agents(self) -> None:
        self._print("")
        self._lines(render.agents(await self._hive.agents(), datetime.now(UTC)))

    async def _show_review(self, proposal: int) -> None:
        review = await self._hive.review(proposal)
        self._lines(render.review(review, datetime.now(UTC)))
        difference = b"".join([chunk async for chunk in self._hive.difference(proposal, review.proposal.base or "")])
        self._lines([f"  {safe(line)}" for line in difference.decode("utf-8", "surrogateescape").splitlines()])

    def _title(self, text: str) -> None:
        self._print(f"\n── {text} {'─' * (70 - len(text))}\n")

    def _lines(self, lines: list[str]) -> None:
        for line in lines:
            self._print(line)
