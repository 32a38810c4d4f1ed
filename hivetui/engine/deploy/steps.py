"""Deploying an approved commit: nine durable steps, and how a deploy that was left in the middle is settled.

The steps run in order under the agent's lock. Each is small, may be repeated, and reads what is there rather than what
an earlier one remembers, so that a kill anywhere is settled by looking: tags, profile, meta's lock, `main`. Up to the
move of `main` any failure (a cancel is one) puts back what was and plants `failed/<id>`; from there the only way is on.
No two writes are expected to happen together.

An agent that did not run before is started for the health check all the same, since only what came up is deployed, and
then stopped again. A deploy never reloads a container: that would run the container's programs on the host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hivetui.engine.agents import intent, lifecycle
from hivetui.engine.agents.lifecycle import Snapshot
from hivetui.engine.containers import container, ports
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host import files
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadData, HiveError, OperationFailed, Stale
from hivetui.engine.model.operations import OperationKind, OperationRequest
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.model.steps import DEPLOY_STEPS, StepName
from hivetui.engine.model.warnings import Repair
from hivetui.engine.nix import nix
from hivetui.engine.operations.rollback import combine_errors, run_to_completion, summarize
from hivetui.engine.proposals import claims
from hivetui.engine.proposals.claims import Claim
from hivetui.engine.proposals.tag_messages import BuildRecord

ROOTS_KEPT = 3
"""How many candidates of an agent stay safe from garbage collection: what runs, and what to go back to."""


@dataclass(frozen=True)
class Deploying:
    """One deploy: who, what, and what stood before it (None until that is recorded)."""

    host: Host
    progress: Progress
    claim: Claim
    record: BuildRecord | None = None

    @property
    def name(self) -> str:
        """The agent."""
        return self.claim.agent

    @property
    def number(self) -> int:
        """The id of the proposal."""
        return self.claim.proposal

    @property
    def commit(self) -> str:
        """What is to run."""
        return self.claim.commit

    @property
    def root(self) -> Path:
        """The out-link of the candidate."""
        return self.host.paths.roots / self.name / str(self.number)

    @property
    def candidate(self) -> Path | None:
        """The system that was built, None before that."""
        return self.root.readlink() if self.root.is_symlink() else None

    @property
    def applied(self) -> AppliedRepo:
        """The agent's applied repo."""
        return AppliedRepo(self.host, self.name)

    @property
    def recorded(self) -> BuildRecord:
        """What stood before, which every step after the second needs."""
        if self.record is None:
            raise OperationFailed(f"Proposal {self.number} has no record of what stood before it", "", "hivetui repair")
        return self.record

    @property
    def before(self) -> Snapshot:
        """What ran before."""
        old = self.recorded.old_system
        return Snapshot(system=Path(old) if old else None, ran=self.recorded.was_running)

    @property
    def beyond_return(self) -> bool:
        """Whether `main` has moved: then there is only on."""
        moved = self.record is not None and self.record.main != self.commit
        return (moved and self.applied.main() == self.commit) or self.applied.tag(f"deployed/{self.number}") is not None


Act = Callable[[Deploying], Awaitable[Deploying]]


@dataclass(frozen=True)
class Step:
    """One durable step and its name."""

    name: str
    act: Act


async def check_claim(work: Deploying) -> Deploying:
    """See that the claim stands on what is deployed, and that the agent could be started."""
    main = lifecycle.deployed_commit(work.host, work.name)
    if main != work.claim.base:
        raise Stale(
            f"Proposal {work.number} was compared with {work.claim.base[:12]}",
            f"{work.name} is at {main[:12]} now",
            f"Read it again and propose it again: hivetui show {work.number}",
        )
    if not work.host.paths.conf(work.name).exists():
        raise BadData(f"{work.name} has no container", "it was destroyed", f"hivetui spawn {work.name}")
    await ports.require_free(work.host, work.name, await container.unit_states(work.host))
    return work


async def record(work: Deploying) -> Deploying:
    """Write down what stands now; what an earlier run wrote stays."""
    found = claims.load_build_record(work.host, work.name, work.number)
    if found is None:
        found = await _look(work)
        await claims.mark_building(work.host, work.name, work.number, found)
    return replace(work, record=found)


async def _look(work: Deploying) -> BuildRecord:
    before = await lifecycle.snapshot(work.host, work.name)
    return BuildRecord(
        old_system=str(before.system) if before.system else None,
        was_running=before.ran,
        meta_head=await repository.head(work.host),
        main=work.claim.base,
    )


async def build(work: Deploying) -> Deploying:
    """Build the candidate, and keep it from garbage collection, while the agent runs on."""
    files.make_directory(work.root.parent)
    await nix.build(work.host, work.progress, work.name, work.commit, work.root)
    return work


async def stop(work: Deploying) -> Deploying:
    """Write conf, limits and mount sources, then stop the container."""
    await lifecycle.configure(work.host, work.progress, work.name)
    await container.stop(work.host, work.progress, work.name)
    return work


async def switch(work: Deploying) -> Deploying:
    """Put the candidate into the container: one rename of its profile."""
    await container.set_profile(work.host, work.progress, work.name, _built(work))
    return work


async def health(work: Deploying) -> Deploying:
    """Start it and see it stay up; then leave it as it was, running or stopped."""
    await lifecycle.recreate_runtime_files(work.host, work.progress, work.name)
    await container.start_and_verify(work.host, work.progress, work.name, work.host.settings.deploy.health_seconds)
    if not work.before.ran:
        await container.stop(work.host, work.progress, work.name)
    return work


async def pin(work: Deploying) -> Deploying:
    """Pin the commit in meta, by its hash, since `main` is still elsewhere."""
    message = f"{work.name}: deploy {work.number} at {work.commit[:12]}\n\nProposal {work.number}, commit {work.commit}"
    await lifecycle.pin_in_meta(work.host, work.progress, work.name, work.commit, message)
    return work


async def move(work: Deploying) -> Deploying:
    """Move `main` from what was compared to what was approved; from here there is only on."""
    if work.applied.main() != work.commit and not await work.applied.move_main(work.commit, work.claim.base):
        raise Stale(f"main of {work.name} moved during its deploy", "somebody else wrote to the applied repo", "")
    return work


async def end(work: Deploying) -> Deploying:
    """Remember what runs, plant `deployed/<id>`, let old candidates go, and last take `building/<id>` away."""
    await lifecycle.remember_built(work.host, work.name, _built(work))
    await claims.mark_deployed(work.host, work.name, work.number, work.commit)
    prune_roots(work.host, work.name)
    await claims.unmark_building(work.host, work.name, work.number)
    return work


_ACTIONS: dict[StepName, Act] = {
    StepName.CLAIM: check_claim,
    StepName.RECORD: record,
    StepName.BUILD: build,
    StepName.STOP: stop,
    StepName.SWITCH: switch,
    StepName.HEALTH: health,
    StepName.META: pin,
    StepName.MAIN: move,
    StepName.END: end,
}
STEPS: tuple[Step, ...] = tuple(Step(name, _ACTIONS[name]) for name in DEPLOY_STEPS)
_NO_RETURN = StepName.MAIN
_AGAIN = "Propose the same commit again."


async def deploy(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Deploy the approved proposal of `request`, or spawn the agent it asks for.

    Raises the HiveError of the step that failed, after the host is as it was and the proposal is failed.
    """
    number = _number(request)
    found = claims.load_claim(host, request.agent, number)
    if found is None:
        raise BadData(
            f"Proposal {number} is not approved", "only what was approved is deployed", f"hivetui show {number}"
        )
    if found.kind is ProposalKind.SPAWN:
        await _spawn(host, progress, request, found)
    else:
        await _deploy(Deploying(host, progress, found))


async def _deploy(work: Deploying) -> None:
    """All steps, with the agent's port kept from others that are about to be started."""
    try:
        port = ports.reserve_port(work.host, work.name)
    except HiveError as failure:
        await run_to_completion(_marked(work.progress, work.number, _mark_failed(work, failure)))
        raise
    with port:
        await _run(work, "claim")


async def settle(host: Host, progress: Progress, name: str, number: int) -> Repair:
    """Settle a deploy (or spawn) that a kill left; the caller holds the agent's lock.

    Beyond the move of `main` it goes on; with the candidate in the profile the health check is run again; before
    that it fails as interrupted, or is resumed, by the settings. What it comes to is in the answer, never raised,
    but for what keeps it from being settled at all.
    """
    found = claims.load_claim(host, name, number)
    if number in claims.list_stale_build_marks(host, name) or found is None:
        await claims.unmark_building(host, name, number)
        return Repair(
            agent=name, found=f"proposal {number} ended, its building mark was left", done="took the mark away"
        )
    if found.kind is ProposalKind.SPAWN:
        return await _settle_spawn(host, progress, found)
    work = Deploying(host, progress, found, claims.load_build_record(host, name, number))
    return await _settle(work, *_where(work))


def _where(work: Deploying) -> tuple[str, str | None]:
    """What a look finds, in words, and the step to go on with; None before anything was switched."""
    if work.beyond_return:
        return "after its main had moved", "meta"
    if work.record is not None and work.candidate is not None and work.candidate == _profile(work):
        return "after its system was switched", "health"
    resumed = work.host.settings.deploy.interrupted == "resume"
    return "before its system was switched", "claim" if resumed else None


async def _settle(work: Deploying, where: str, first: str | None) -> Repair:
    found = f"deploy {work.number} was interrupted {where}"
    if first is None:
        failure = OperationFailed(f"Deploy {work.number} was interrupted", where, _AGAIN)
        if (unmarked := await _give_up(work, failure, touched=True)) is not None:
            raise unmarked
        return Repair(agent=work.name, found=found, done=f"failed it; {work.name} is as it was before")
    try:
        await _run(work, first)
    except HiveError as failure:
        return Repair(agent=work.name, found=found, done=f"went on, and it failed: {summarize(failure)}")
    return Repair(agent=work.name, found=found, done="went on; it is deployed")


async def _run(work: Deploying, first: str) -> None:
    """Run the steps from the one named; a failure, or a cancel, is settled before it is raised."""
    touched = work.record is not None  # an earlier run may have come as far as that
    for step in _steps(first, _NO_RETURN):
        touched = touched or step.name == "stop"
        try:
            work.progress.step(step.name)
            work = await step.act(work)
        except BaseException as failure:
            if not work.beyond_return:
                await run_to_completion(_give_up(work, failure, touched))
            raise
    await run_to_completion(_finish(work))


async def _finish(work: Deploying) -> None:
    """The steps that are not cancelled. One that fails beyond the move of `main` is gone on with by the next repair."""
    for step in _steps(_NO_RETURN, None):
        try:
            work.progress.step(step.name)
            work = await step.act(work)
        except BaseException as failure:
            if not work.beyond_return:
                await _give_up(work, failure, touched=True)
            raise


def _steps(first: str, until: str | None) -> tuple[Step, ...]:
    names = [step.name for step in STEPS]
    return STEPS[names.index(first) : names.index(until) if until else None]


async def _give_up(work: Deploying, failure: BaseException, touched: bool) -> HiveError | None:
    """Put back what was, and plant `failed/<id>` with the reason, and with the second one when that fails too.

    The answer is what kept the tag from being planted.
    """
    reason = failure
    try:
        if touched and work.record is not None:
            await _put_back(work)
    except HiveError as second:
        reason = combine_errors(failure, second)
    unmarked = await _marked(work.progress, work.number, _mark_failed(work, reason))
    if reason is not failure:
        raise reason from failure
    return unmarked


async def _marked(progress: Progress, number: int, marking: Awaitable[None]) -> HiveError | None:
    """Mark a proposal as failed. A full disk may refuse that: it hides no reason, and the next repair marks it."""
    try:
        await marking
    except HiveError as error:
        progress.say(f"Proposal {number} is not marked as failed yet: {error.what}")
        return error
    return None


async def _put_back(work: Deploying) -> None:
    """The system before, running if it ran; and meta at what is deployed, whether or not that came up."""
    try:
        await lifecycle.restore_previous(work.host, work.progress, work.name, work.before)
    finally:
        await _pin_back(work)


async def _pin_back(work: Deploying) -> None:
    main = work.recorded.main
    if (await repository.pinned_commits(work.host)).get(work.name) not in (None, main):
        message = f"{work.name}: deploy {work.number} is taken back\n\nCommit {main} again"
        await lifecycle.pin_in_meta(work.host, work.progress, work.name, main, message)


async def _mark_failed(work: Deploying, failure: BaseException) -> None:
    files.remove(work.root)
    await claims.mark_failed(work.host, work.name, work.number, _reason(failure))
    await claims.unmark_building(work.host, work.name, work.number)


def _reason(failure: BaseException) -> str:
    return str(failure) if isinstance(failure, HiveError) else summarize(failure)


async def _spawn(host: Host, progress: Progress, request: OperationRequest, found: Claim) -> None:
    try:
        await lifecycle.spawn(host, progress, request)
    except BaseException as failure:
        marking = claims.mark_failed(host, found.agent, found.proposal, _reason(failure))
        await run_to_completion(_marked(progress, found.proposal, marking))
        raise
    await run_to_completion(claims.mark_deployed(host, found.agent, found.proposal, found.commit))


async def _settle_spawn(host: Host, progress: Progress, found: Claim) -> Repair:
    """A spawn that is whole is deployed; any other is taken back and failed."""
    name, number = found.agent, found.proposal
    told = f"spawn request {number} was interrupted"
    known = intent.read(host.paths, name)
    if known.doing is None and known.built is not None and host.paths.conf(name).exists():
        await claims.mark_deployed(host, name, number, found.commit)
        return Repair(agent=name, found=told, done="the agent is whole; marked as deployed")
    if known.doing is OperationKind.SPAWN:
        await lifecycle.undo_spawn(host, progress, name)
    await claims.mark_failed(host, name, number, f"The spawn of {name} was interrupted\n{_AGAIN}")
    return Repair(agent=name, found=told, done="took back what it made, and failed it")


def prune_roots(host: Host, name: str) -> None:
    """Let the garbage collector have all but the newest candidates of an agent, and what runs."""
    profile = container.system_of(host, name)
    found = [link for link in (host.paths.roots / name).glob("*") if link.name.isdigit()]
    for link in sorted(found, key=lambda link: -int(link.name))[ROOTS_KEPT:]:
        if link.is_symlink() and link.readlink() != profile:
            files.remove(link)


def _profile(work: Deploying) -> Path | None:
    return container.system_of(work.host, work.name)


def _built(work: Deploying) -> Path:
    candidate = work.candidate
    if candidate is None:
        raise OperationFailed(f"The candidate of proposal {work.number} is gone", f"{work.root} is missing", _AGAIN)
    return candidate


def _number(request: OperationRequest) -> int:
    if request.proposal is None:
        raise BadData("A deploy needs the id of its proposal", "", "hivetui proposals")
    return request.proposal
