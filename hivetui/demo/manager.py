"""The manager of a demo: like the agent of that name it edits proposed repos, commits and submits.

It is not part of the engine, and not trusted more than any agent: it uses git, the directories that its container would
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
from .drafts import DRAFTS, Commit, Draft, SpawnRequest

MOST_PENDING = 4
"""How many of its proposals are pending at most."""
SOON, SOON_SECONDS = 3, 6.0
"""The first few come at a shorter interval, so that there is soon something to choose from."""
_MODULE = "{{ ... }}:\n{{\n  imports = [{imports} ];\n}}\n"


class Manager:
    """Submits draft after draft for the agents of a cast, `pace` seconds apart."""

    def __init__(self, host: Host, cast: Cast, pace: float) -> None:
        self._host, self._cast, self._pace = host, cast, pace
        self._hive = LocalHive(host, Operator(name=names.MANAGER, uid=None, source="manager"))

    async def submit_first(self) -> None:
        """Submit the first draft, unless the hive has proposals already."""
        if not await self._hive.proposals(decided=True):
            await self.propose(DRAFTS[0], 1)

    async def run(self, done: int = 1) -> None:
        """Submit drafts until cancelled, starting after the first `done`, and none while too many are pending."""
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
        """Print an error and go on, as an agent does whose request is refused."""
        print(f"the manager got an error: {refusal}", flush=True)

    async def propose(self, draft: Draft | SpawnRequest, turn: int) -> Proposal | None:
        """Commit and submit one draft; None when it would change nothing or its agent does not exist."""
        if isinstance(draft, SpawnRequest):
            return await self._request_spawn(draft)
        agent = getattr(self._cast, draft.role)
        if not self._host.paths.proposed(agent).is_dir():
            return None
        head = await asyncio.to_thread(self.write, agent, draft.commits, turn)
        if head is None:
            return None
        proposal = await self._hive.submit(agent, head, draft.description)
        return await self._amend(proposal, draft.amended, turn) if draft.amended else proposal

    async def _request_spawn(self, request: SpawnRequest) -> Proposal | None:
        known = {agent.name for agent in await self._hive.agents()}
        asked = {proposal.agent for proposal in await self._hive.proposals(decided=True)}
        name = newcomer(self._host, known | asked)
        return await self._hive.request_spawn(name, request.description) if name else None

    async def _amend(self, first: Proposal, better: Commit, turn: int) -> Proposal:
        """Amend and submit again. The first proposal stays at its pinned commit, and so is withdrawn."""
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
        """Start from what is deployed and make the commits; the hash of the last, None when nothing changed."""
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
