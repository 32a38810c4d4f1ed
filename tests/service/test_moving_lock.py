"""Approvals of an effect while the lock of meta moves: what is deployed is what was shown, or nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from hivetui.client.hive import RemoteHive
from hivetui.engine.containers import nixos_container
from hivetui.engine.host import locks
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.meta.lock import LOCK_FILE
from hivetui.engine.model.effect import Effect, EffectState
from hivetui.engine.model.errors import Stale
from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.proposals.tag_messages import Approved, Deployed, parse_message
from tests.conftest import EmbeddedAgent
from tests.new_base import git, new_base
from tests.service.served import Served, serving

APPROVALS = int(os.environ.get("HIVE_RACES", "500"))
"""CI makes fewer, because they take minutes."""
_EACH = 4
"""Proposals of one agent."""
_ENOUGH = 6
"""Deploys after which the lock does not return to where the effects were shown: no agent is without a proposal then."""
_RETURN_EVERY, _VERB_EVERY = 10, 7
"""Moves of the lock from one return to where the effects were shown to the next, and from one by the verb."""


@dataclass(frozen=True)
class Shown:
    """A proposal as it was read: its effect too."""

    proposal: Proposal
    effect: Effect


class Mover:
    """Moves the lock of meta among revisions of the base flake: `shown`, with which effects are made, and others."""

    def __init__(self, host: Host, hive: RemoteHive) -> None:
        self._host, self._hive = host, hive
        self._locked: dict[str, dict[str, Any]] = {}
        self.shown = ""
        self.moves = self.deploys = 0
        self.is_over = False
        self.attempted = asyncio.Event()

    @property
    def others(self) -> list[str]:
        return [revision for revision in self._locked if revision != self.shown]

    async def learn(self, count: int) -> None:
        """Make revisions of the base flake that differ in every system, and lock each once; last the one of now."""
        self.shown = await repository.base_revision(self._host) or ""
        for revision in (*[new_base(self._host, 10 + number) for number in range(count)], self.shown):
            await self._hive.update_base(revision)
            self._locked[revision] = _nodes(self._host)["hyperhive"]["locked"]

    async def run(self) -> None:
        """Move it again as soon as something was tried: by the verb, or by git beside the engine."""
        chance = random.Random(20261127)
        while not self.is_over:
            self.attempted.clear()
            self.moves += 1
            is_return = self.moves % _RETURN_EVERY == 0 and self.deploys < _ENOUGH
            revision = self.shown if is_return else chance.choice(self.others)
            if self.moves % _VERB_EVERY == 0:
                await self._hive.update_base(revision)
            else:
                with await locks.wait_for(locks.meta_lock(self._host.paths), "a test"):
                    await asyncio.to_thread(self._commit, revision)
            await self.attempted.wait()

    def _commit(self, revision: str) -> None:
        path, nodes = self._host.paths.meta / LOCK_FILE, _nodes(self._host)
        if nodes["hyperhive"]["locked"] != self._locked[revision]:
            nodes["hyperhive"]["locked"] = self._locked[revision]
            path.write_text(json.dumps({**json.loads(path.read_text()), "nodes": nodes}))
            git(path.parent, "commit", "--quiet", "--all", "--message", "Move the base flake")


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_500_approvals_raced_against_a_moving_lock_deploy_only_what_was_shown(
    three: tuple[EmbeddedAgent, ...],
) -> None:
    host, attempts = three[0].host, itertools.count()
    async with serving(host) as served:
        hives = [await served.remote() for _ in range(len(three) + 1)]
        mover = Mover(host, hives[0])
        await mover.learn(5)
        shown = [await _show(served, agent) for agent in three]
        moving = asyncio.create_task(mover.run())
        tried = await asyncio.gather(
            *(
                _try(hive, agent, each, mover, attempts)
                for hive, agent, each in zip(hives[1:], three, shown, strict=True)
            )
        )
        mover.is_over = True
        mover.attempted.set()
        await moving
        for agent, each, deployed in zip(three, shown, (deployed for deployed, _ in tried), strict=True):
            await _check(served, agent, each, deployed)
        assert (await served.local.verify()).problems == ()
        for hive in hives:
            await hive.close()
    deployed, refused = (sum(counts) for counts in zip(*((len(done), count) for done, count in tried), strict=True))
    assert deployed + refused == APPROVALS
    assert deployed
    assert refused >= APPROVALS // 2
    assert mover.moves > APPROVALS // 4


async def _show(served: Served, agent: EmbeddedAgent) -> list[Shown]:
    """Proposals of an agent with the effects that previews find."""
    found = []
    for number in range(_EACH):
        commit = agent.commit(f'  environment.variables.SHOWN = "{number}";')
        proposal = await served.local.submit(agent.name, commit)
        await agent.wait_for_end(await served.local.preview(proposal.id))
        effect = await served.local.effect(proposal.id)
        assert effect.state is EffectState.KNOWN, effect
        found.append(Shown(proposal, effect))
    return found


async def _try(
    hive: RemoteHive, agent: EmbeddedAgent, shown: list[Shown], mover: Mover, attempts: Iterator[int]
) -> tuple[list[Shown], int]:
    """Approve one proposal of an agent after the other, each as it was shown; what was deployed, and what refused."""
    deployed: list[Shown] = []
    refused, base = 0, shown[0].proposal.base
    for one in shown:
        while next(attempts) < APPROVALS:
            try:
                operation = await hive.approve(one.proposal.id, one.proposal.commit, base, effect=one.effect.derivation)
            except Stale as error:
                _check_refusal(error, one.proposal, mover)
                refused += 1
                mover.attempted.set()
                continue
            deployed.append(one)
            mover.deploys += 1
            mover.attempted.set()
            ended = await agent.wait_for_end(operation)
            assert ended.state is OperationState.SUCCEEDED, ended.error
            base = one.proposal.commit
            break
    return deployed, refused


def _check_refusal(error: Stale, proposal: Proposal, mover: Mover) -> None:
    """It names the input that has moved, and from which revision to which."""
    assert error.what == f"Proposal {proposal.id} was not approved: its effect has moved"
    expected = [f"hyperhive has moved: {mover.shown[:12]} → {other[:12]}" for other in mover.others]
    assert any(words in error.why for words in expected), error.why


async def _check(served: Served, agent: EmbeddedAgent, shown: list[Shown], deployed: list[Shown]) -> None:
    """What was deployed is what was shown; what was refused is pending as before."""
    for one in shown:
        number, tags = one.proposal.id, agent.applied.tags()
        if one not in deployed:
            assert await served.state(number) is ProposalState.PENDING
            assert f"approved/{number}" not in tags
            continue
        assert await served.state(number) is ProposalState.DEPLOYED
        approved = parse_message(tags[f"approved/{number}"].message, Approved)
        done = parse_message(tags[f"deployed/{number}"].message, Deployed)
        assert approved is not None
        assert approved.effect is not None
        assert done is not None
        assert (approved.effect.derivation, approved.effect.system) == (one.effect.derivation, one.effect.system)
        assert done.system == one.effect.system
    if deployed:
        assert str(nixos_container.system_of(agent.host, agent.name)) == deployed[-1].effect.system


def _nodes(host: Host) -> dict[str, Any]:
    nodes: dict[str, Any] = json.loads((host.paths.meta / LOCK_FILE).read_text())["nodes"]
    return nodes
