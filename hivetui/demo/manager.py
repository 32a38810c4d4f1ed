"""The manager of a demo: it does what the agent of that name does, editing proposed repos, committing, submitting.

It is no part of the engine and is trusted no more than any agent: it has git, the folders that its container would
have mounted, and the verbs of the manager's socket.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from hivetui.engine.git import environment
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import Proposal

from .cast import Cast, newcomer
from .drafts import DRAFTS, Commit, Draft, Wish

MOST_PENDING = 4
"""How many of its proposals wait at most."""
SOON, SOON_SECONDS = 3, 6.0
"""The first few come faster, so that there is something to choose from."""
_MODULE = "{{ ... }}:\n{{\n  imports = [{imports} ];\n}}\n"


class Manager:
    """Proposes draft after draft for the agents of a cast; `pace` seconds lie between two."""

    def __init__(self, host: Host, cast: Cast, pace: float) -> None:
        self._host, self._cast, self._pace = host, cast, pace
        self._hive = LocalHive(host, Operator(name=names.MANAGER, uid=None, source="manager"))

    async def first(self) -> None:
        """Propose the first draft, as soon as its agent is there."""
        if not await self._hive.proposals(decided=True):
            await self.propose(DRAFTS[0], 1)

    async def go_on(self, done: int = 1) -> None:
        """Propose for ever, beginning after the first `done` drafts; while many wait, nothing more comes."""
        number = done
        while True:
            await asyncio.sleep(self._pace if number >= SOON else min(self._pace, SOON_SECONDS))
            if len(await self._hive.proposals()) < MOST_PENDING:
                await self._try(number)
                number += 1

    async def _try(self, number: int) -> None:
        try:
            await self.propose(DRAFTS[number % len(DRAFTS)], number // len(DRAFTS) + 1)
        except HiveError as refusal:
            self._note(refusal)

    def _note(self, refusal: HiveError) -> None:
        """An agent that was refused something goes on; what it was told stays to be read."""
        print(f"the manager was told: {refusal}", flush=True)

    async def propose(self, draft: Draft | Wish, turn: int) -> Proposal | None:
        """Commit and submit one draft; None where there is nothing to propose now."""
        if isinstance(draft, Wish):
            return await self._wish(draft)
        agent = getattr(self._cast, draft.role)
        if not self._host.paths.proposed(agent).is_dir():
            return None
        head = await asyncio.to_thread(self.write, agent, draft.commits, turn)
        if head is None:
            return None
        proposal = await self._hive.submit(agent, head, draft.description)
        return await self._amend(proposal, draft.amended, turn) if draft.amended else proposal

    async def _wish(self, wish: Wish) -> Proposal | None:
        known = {agent.name for agent in await self._hive.agents()}
        asked = {proposal.agent for proposal in await self._hive.proposals(decided=True)}
        name = newcomer(self._host, known | asked)
        return await self._hive.request_spawn(name, wish.description) if name else None

    async def _amend(self, first: Proposal, better: Commit, turn: int) -> Proposal:
        """Amend what was submitted: the pinned commit stays what it was, so the first proposal is taken back."""
        await asyncio.sleep(self._pace / 4)
        head = await asyncio.to_thread(self._amended, first.agent, better, turn)
        second = await self._hive.submit(first.agent, head, "The same, amended.")
        try:
            await self._hive.withdraw(first.id)
        except HiveError as refusal:  # the operator was faster
            self._note(refusal)
        return second

    # -- git ---------------------------------------------------------------------------------------------------------

    def write(self, agent: str, commits: tuple[Commit, ...], turn: int) -> str | None:
        """Begin at what is deployed, commit one after the other; the hash of the last, None when nothing differs."""
        repo = self._host.paths.proposed(agent)
        self._git(repo, "fetch", "--quiet", "--no-tags", str(self._host.paths.applied / agent / ".git"), "main")
        self._git(repo, "reset", "--quiet", "--hard", "FETCH_HEAD")
        before = self._git(repo, "rev-parse", "HEAD")
        for commit in commits:
            self._put(repo, commit, turn)
            if self._git(repo, "status", "--porcelain"):
                self._git(repo, "commit", "--quiet", "--file=-", text=commit.message)
        after = self._git(repo, "rev-parse", "HEAD")
        return after if after != before else None

    def _amended(self, agent: str, better: Commit, turn: int) -> str:
        repo = self._host.paths.proposed(agent)
        self._put(repo, better, turn)
        self._git(repo, "commit", "--quiet", "--amend", "--file=-", text=better.message)
        return self._git(repo, "rev-parse", "HEAD")

    def _put(self, repo: Path, commit: Commit, turn: int) -> None:
        for name, text in commit.files.items():
            (repo / name).write_text(text.replace("@round@", str(turn)))
        modules = sorted(path.name for path in repo.glob("*.nix") if path.name not in ("agent.nix", "flake.nix"))
        imports = "".join(f" ./{name}" for name in modules)
        (repo / "agent.nix").write_text(_MODULE.format(imports=imports))
        self._git(repo, "add", "--all")

    def _git(self, repo: Path, *arguments: str, text: str = "") -> str:
        env = environment.hardened_environment(os.environ) | environment.identity(names.MANAGER, names.MANAGER)
        argv = [*self._host.tools.git, *arguments]
        done = subprocess.run(argv, cwd=repo, env=env, check=True, capture_output=True, input=text.encode())
        return done.stdout.decode().strip()
