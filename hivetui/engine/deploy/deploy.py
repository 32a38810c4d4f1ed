"""Runs the steps of a deploy (or a requested spawn), and rolls back when one fails or is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable

from hivetui.engine.agents import lifecycle, meta_changes, previous_system
from hivetui.engine.containers import ports
from hivetui.engine.deploy import steps
from hivetui.engine.deploy.steps import DeployRun, Step
from hivetui.engine.host import files
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadData, HiveError
from hivetui.engine.model.operations import OperationRequest
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.model.steps import StepName
from hivetui.engine.operations.rollback import combine_errors, run_to_completion, summarize
from hivetui.engine.proposals import claims
from hivetui.engine.proposals.claims import Claim

_COMMIT_POINT = StepName.MAIN
"""This step and those after it are not cancelled."""


async def deploy(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Deploy the approved proposal of `request`, or spawn the agent that it requests.

    The caller holds the agent's lock. Raises the HiveError of the step that failed, after the rollback.
    """
    if request.proposal is None:
        raise BadData("A deploy needs the id of its proposal", "", "hivetui proposals")
    claim = claims.load_claim(host, request.agent, request.proposal)
    if claim is None:
        raise BadData(
            f"Proposal {request.proposal} is not approved",
            "Only an approved proposal can be deployed.",
            f"hivetui show {request.proposal}",
        )
    if claim.kind is ProposalKind.SPAWN:
        await _spawn(host, progress, request, claim)
    else:
        await _deploy(DeployRun(host, progress, claim))


async def _deploy(run: DeployRun) -> None:
    """Run all steps while the agent's port is reserved, so that no other agent with that port is started meanwhile."""
    try:
        port = ports.reserve_port(run.host, run.name)
    except HiveError as failure:
        await run_to_completion(try_to_mark(run.progress, run.number, _mark_failed(run, failure)))
        raise
    with port:
        await run_steps(run, StepName.CLAIM)


async def run_steps(run: DeployRun, first: StepName) -> None:
    """Run the steps from `first` on; a failure or a cancel before the commit point is rolled back, then raised."""
    may_have_stopped = run.record is not None  # an earlier run may have stopped the container
    for step in _steps(first, _COMMIT_POINT):
        may_have_stopped = may_have_stopped or step.name == StepName.STOP
        try:
            if step.name == StepName.STOP:
                run = await steps.compare_with_running(run)
            if run.is_in_place and step.name in steps.RESTART_STEPS:
                continue
            run.progress.step(step.name)
            run = await step.act(run)
        except BaseException as failure:
            if not run.is_committed:
                await run_to_completion(give_up(run, failure, may_have_stopped))
            raise
    await run_to_completion(_commit(run))


async def _commit(run: DeployRun) -> None:
    """Run the steps from the commit point on. Once `main` has moved, a failure is left to the next repair to finish."""
    for step in _steps(_COMMIT_POINT, None):
        try:
            run.progress.step(step.name)
            run = await step.act(run)
        except BaseException as failure:
            if not run.is_committed:
                await give_up(run, failure, may_have_stopped=True)
            raise


def _steps(first: StepName, until: StepName | None) -> tuple[Step, ...]:
    names = [step.name for step in steps.STEPS]
    return steps.STEPS[names.index(first) : names.index(until) if until else None]


async def give_up(run: DeployRun, failure: BaseException, may_have_stopped: bool) -> HiveError | None:
    """Roll back and create `failed/<id>` with the reason; RollbackFailed, with both reasons, if the rollback fails too.

    Returns the error that prevented the tag, if any.
    """
    reason = failure
    try:
        if may_have_stopped and run.record is not None:
            await _roll_back(run)
    except HiveError as rollback_failure:
        reason = combine_errors(failure, rollback_failure)
    tag_failure = await try_to_mark(run.progress, run.number, _mark_failed(run, reason))
    if reason is not failure:
        raise reason from failure
    return tag_failure


async def _roll_back(run: DeployRun) -> None:
    """Restore the previous system, running if it ran; and meta in any case, even if that system does not start."""
    try:
        await previous_system.restore_previous(run.host, run.progress, run.name, run.previous)
    finally:
        main = run.required_record.main
        if (await repository.pinned_commits(run.host)).get(run.name) not in (None, main):
            message = f"{run.name}: deploy {run.number} is rolled back\n\nCommit {main} again"
            await meta_changes.pin_in_meta(run.host, run.progress, run.name, main, message)


async def try_to_mark(progress: Progress, number: int, marking: Awaitable[None]) -> HiveError | None:
    """Await `marking`, which creates `failed/<id>`, and return its error instead of raising it.

    A full disk can prevent the tag. That must not hide why the deploy failed, and the next repair creates the tag.
    """
    try:
        await marking
    except HiveError as error:
        progress.say(f"Proposal {number} could not be marked as failed yet: {error.what}")
        return error
    return None


async def _mark_failed(run: DeployRun, failure: BaseException) -> None:
    files.remove(run.out_link)
    await claims.mark_failed(run.host, run.name, run.number, _error_text(failure, run.number))
    await claims.unmark_building(run.host, run.name, run.number)


def _error_text(failure: BaseException, number: int) -> str:
    if isinstance(failure, HiveError):
        return str(failure)
    return f"{summarize(failure)}\n{steps.retry_fix(number)}"


async def _spawn(host: Host, progress: Progress, request: OperationRequest, claim: Claim) -> None:
    """Spawn the requested agent; the spawn undoes its own work when it fails."""
    try:
        await lifecycle.spawn(host, progress, request)
    except BaseException as failure:
        error = _error_text(failure, claim.proposal)
        marking = claims.mark_failed(host, claim.agent, claim.proposal, error)
        await run_to_completion(try_to_mark(progress, claim.proposal, marking))
        raise
    await run_to_completion(claims.mark_deployed(host, claim.agent, claim.proposal, claim.commit))
