"""A history of four decisions, with the records of all of them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from hivetui.engine.model.records import EffectReference, Seen
from hivetui.engine.proposals import claims, decide
from tests.engine.conftest import NAME, OPERATOR, AgentRepos, new_host

SYSTEM = "/nix/store/a-system"
EFFECT = EffectReference(derivation="/nix/store/a.drv", system=SYSTEM, digest="d" * 64)
SEEN = Seen(blobs=("a" * 40,), hunks=("b" * 64,))


async def deploy(repos: AgentRepos, text: str, system: str = SYSTEM) -> int:
    made = await repos.pin(repos.commit({"change": text}))
    reviewed = (made.id, made.commit, repos.main)
    await decide.approve(repos.host, *reviewed, OPERATOR, "Fine", effect=EFFECT, seen=SEEN)
    await finish(repos, made.id, made.commit or "", system)
    return made.id


async def finish(repos: AgentRepos, number: int, commit: str, system: str = SYSTEM) -> None:
    assert await repos.applied.move_main(commit, repos.main)
    await claims.mark_deployed(repos.host, repos.name, number, commit, system=system)


async def deny(repos: AgentRepos, text: str) -> int:
    made = await repos.pin(repos.commit({"change": text}))
    await decide.deny(repos.host, made.id, "Not this", OPERATOR)
    return made.id


async def roll_back(repos: AgentRepos, to: int) -> int:
    claim = await decide.approve_rollback(repos.host, repos.name, to, "It broke", OPERATOR)
    await finish(repos, claim.proposal, claim.commit)
    return claim.proposal


async def _make(root: Path) -> None:
    """Deploys 1, 2 and 4 (back to 1), and denial 3."""
    repos = AgentRepos(new_host(root), NAME)
    assert [await deploy(repos, "1"), await deploy(repos, "2"), await deny(repos, "3"), await roll_back(repos, 1)] == [
        *range(1, 5)
    ]


@pytest.fixture(scope="session")
def decided(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("decided") / "hive"
    shutil.copytree(template, root, symlinks=True)
    asyncio.run(_make(root))
    return root


@pytest.fixture
def history(decided: Path, tmp_path: Path) -> AgentRepos:
    shutil.copytree(decided, tmp_path / "hive", symlinks=True)
    return AgentRepos(new_host(tmp_path / "hive"), NAME)
