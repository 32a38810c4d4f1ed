"""The manager of a demo: like the agent of that name it edits proposed repos, commits and submits.

It is not part of the engine, and not trusted more than any agent: it uses git, the directories that its container would
have mounted, and the manager's door.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hivetui.engine.git import environment
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.manager import client
from hivetui.service.manager_door import SOCKET_NAME, ManagerDoor

from .cast import Cast, newcomer
from .drafts import DRAFTS, Commit, Draft, SpawnRequest

MOST_PENDING = 4
"""How many of its proposals are pending at most."""
SOON, SOON_SECONDS = 3, 6.0
"""The first few come at a shorter interval, so that there is soon something to choose from."""
_MODULE = "{{ ... }}:\n{{\n  imports = [{imports} ];\n}}\n"


_DOOR_SECONDS, _POLL_SECONDS = 30.0, 0.05


class Refused(Exception):
    """The door refuses a request, or does not answer."""


@asynccontextmanager
async def manager_at_door(hive: LocalHive, cast: Cast, pace: float) -> AsyncIterator[Manager]:
    """A manager, and the door that it goes through, which is there before the container of the manager is."""
    directory = hive.host.paths.runtime_of(names.MANAGER)
    directory.mkdir(parents=True, exist_ok=True)
    serving = asyncio.create_task(ManagerDoor(hive).run())
    try:
        async with asyncio.timeout(_DOOR_SECONDS):
            while not (directory / SOCKET_NAME).is_socket():  # noqa: ASYNC110  another engine may be the one that serves
                await asyncio.sleep(_POLL_SECONDS)
        yield Manager(hive.host, cast, pace)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


class Manager:
    """Submits draft after draft for the agents of a cast, `pace` seconds apart."""

    def __init__(self, host: Host, cast: Cast, pace: float) -> None:
        self._host, self._cast, self._pace = host, cast, pace

    async def submit_first(self) -> None:
        """Submit the first draft, unless it has made proposals already."""
        if not (await self._status())["proposals"]:
            await self._try(0)

    async def run(self, done: int = 1) -> None:
        """Submit drafts until cancelled, starting after the first `done`, and none while too many are pending."""
        number = done
        while True:
            await asyncio.sleep(self._pace if number >= SOON else min(self._pace, SOON_SECONDS))
            if await self._has_time():
                await self._try(number)
                number += 1

    async def _has_time(self) -> bool:
        try:
            proposals = (await self._status())["proposals"]
        except Refused as refusal:  # an operator has purged the manager
            self._note(refusal)
            return False
        return len([row for row in proposals if row["state"] == "pending"]) < MOST_PENDING

    async def _try(self, number: int) -> None:
        try:
            await self.propose(DRAFTS[number % len(DRAFTS)], number // len(DRAFTS) + 1)
        except Refused as refusal:
            self._note(refusal)

    def _note(self, refusal: Refused) -> None:
        """Print an error and go on, as an agent does whose request is refused."""
        print(f"the manager got an error: {refusal}", flush=True)

    async def propose(self, draft: Draft | SpawnRequest, turn: int) -> int | None:
        """Commit and submit one draft; the id of its proposal.

        None when it would change nothing or its agent does not exist.
        """
        if isinstance(draft, SpawnRequest):
            return await self._request_spawn(draft)
        agent = getattr(self._cast, draft.role)
        if not self._host.paths.proposed(agent).is_dir():
            return None
        head = await asyncio.to_thread(self.write, agent, draft.commits, turn)
        if head is None:
            return None
        proposal = await self._submit(agent, head, draft.description)
        return await self._amend(agent, proposal, draft.amended, turn) if draft.amended else proposal

    async def _request_spawn(self, request: SpawnRequest) -> int | None:
        status = await self._status()
        known = {row["name"] for row in status["agents"]} | {row["agent"] for row in status["proposals"]}
        name = newcomer(self._host, known)
        if name is None:
            return None
        return int((await self._ask(cmd="request_spawn", name=name, description=request.description))["id"])

    async def _amend(self, agent: str, first: int, better: Commit, turn: int) -> int:
        """Amend and submit again. The first proposal stays at its pinned commit, and so is withdrawn."""
        await asyncio.sleep(self._pace / 4)
        head = await asyncio.to_thread(self._amended, agent, better, turn)
        second = await self._submit(agent, head, "The same, amended.")
        try:
            await self._ask(cmd="withdraw", id=first)
        except Refused as refusal:  # the operator was faster
            self._note(refusal)
        return second

    # -- the door ----------------------------------------------------------------------------------------------------

    async def _status(self) -> dict[str, Any]:
        return await self._ask(cmd="status")

    async def _submit(self, agent: str, commit: str, description: str) -> int:
        request = {"cmd": "request_apply_commit", "agent": agent, "commit_ref": commit, "description": description}
        return int((await self._ask(**request))["id"])

    async def _ask(self, **request: Any) -> dict[str, Any]:
        answer = await asyncio.to_thread(self._ask_door, request)
        if not answer.get("ok"):
            raise Refused(answer.get("error"))
        return answer

    def _ask_door(self, request: dict[str, Any]) -> dict[str, Any]:
        """By the descriptor of the directory: the path of a demo may be longer than that of a socket can be."""
        try:
            directory = os.open(self._host.paths.runtime_of(names.MANAGER), os.O_PATH | os.O_DIRECTORY)
            try:
                return client.ask(request, Path(f"/proc/self/fd/{directory}/{SOCKET_NAME}"))
            finally:
                os.close(directory)
        except (OSError, client.DoorError) as error:
            raise Refused(str(error)) from error

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
