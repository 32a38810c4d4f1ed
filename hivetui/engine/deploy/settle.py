"""Settles a deploy or a requested spawn that a kill interrupted: resumes it, or fails it and rolls back.

Where it was interrupted is derived from what is on disk; the package's docstring lists each case.
"""

from __future__ import annotations

from hivetui.engine.agents import intent, lifecycle
from hivetui.engine.containers import nixos_container
from hivetui.engine.deploy.deploy import give_up, run_steps
from hivetui.engine.deploy.steps import DeployRun, retry_fix
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.model.errors import HiveError, OperationFailed
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.model.steps import StepName
from hivetui.engine.model.warnings import Repair
from hivetui.engine.operations.rollback import summarize
from hivetui.engine.proposals import claims
from hivetui.engine.proposals.claims import Claim


async def settle(host: Host, progress: Progress, name: str, number: int) -> Repair:
    """Settle proposal `number` of an agent; the caller holds the agent's lock.

    A resumed deploy that fails is a result like any other and is in the answer. Raises HiveError only when the
    proposal could not be settled at all.
    """
    claim = claims.load_claim(host, name, number)
    if number in claims.list_stale_build_marks(host, name) or claim is None:
        await claims.unmark_building(host, name, number)
        return Repair(
            agent=name, found=f"proposal {number} was finished but still marked as building", done="removed the mark"
        )
    if claim.kind is ProposalKind.SPAWN:
        return await _settle_spawn(host, progress, claim)
    run = DeployRun(host, progress, claim, claims.load_build_record(host, name, number))
    where, resume_at = _locate(run)
    found = f"deploy {number} was interrupted {where}"
    if resume_at is None:
        return await _fail(run, where, found)
    try:
        await run_steps(run, resume_at)
    except HiveError as failure:
        return Repair(agent=name, found=found, done=f"resumed it, and it failed: {summarize(failure)}")
    return Repair(agent=name, found=found, done="resumed it, and it is deployed")


def _locate(run: DeployRun) -> tuple[str, StepName | None]:
    """Where the deploy was interrupted, in words, and the step to resume at; None to fail it."""
    if run.is_committed:
        return "after main had moved", StepName.META
    profile = nixos_container.system_of(run.host, run.name)
    if run.keeps_system and run.candidate == profile:
        return "after the build of the system that it already had", StepName.STOP
    if run.record is not None and run.candidate is not None and run.candidate == profile:
        return "after the switch of its system", StepName.HEALTH
    resumes = run.host.settings.deploy.interrupted == "resume"
    return "before the switch of its system", StepName.CLAIM if resumes else None


async def _fail(run: DeployRun, where: str, found: str) -> Repair:
    what, fix = f"Deploy {run.number} was interrupted {where}", retry_fix(run.number)
    failure = OperationFailed(what, "Its process was killed.", fix)
    if (tag_failure := await give_up(run, failure, may_have_stopped=True)) is not None:
        raise tag_failure
    return Repair(agent=run.name, found=found, done=f"marked it as failed; {run.name} is as it was before")


async def _settle_spawn(host: Host, progress: Progress, claim: Claim) -> Repair:
    """Mark a complete spawn as deployed; undo an incomplete one and mark it as failed."""
    name, number = claim.agent, claim.proposal
    found = f"spawn request {number} was interrupted"
    known = intent.read(host.paths, name)
    if known.doing is None and known.built is not None and host.paths.conf(name).exists():
        await claims.mark_deployed(host, name, number, claim.commit)
        return Repair(agent=name, found=found, done="marked it as deployed, since the agent is complete")
    if known.doing is OperationKind.SPAWN:
        await lifecycle.undo_spawn(host, progress, name)
    why = f"The spawn of {name} was interrupted\nIts process was killed.\n{retry_fix(number)}"
    await claims.mark_failed(host, name, number, why)
    return Repair(agent=name, found=found, done="undid it and marked it as failed")
