"""The operation that finds out what a proposal would do. It holds no agent, and changes nothing but the effect on disk.

Of one hive, `review.preview_jobs` run at once, the newest proposal of an agent first.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from hivetui.engine.containers import nixos_container
from hivetui.engine.host import files, locks
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.effect import Effect, EffectState
from hivetui.engine.model.errors import BadData, Busy, NotAllowed, OperationFailed, TryAgain
from hivetui.engine.model.operations import Operation, OperationKind, OperationRequest, Operator
from hivetui.engine.model.proposals import STATE_PHRASES, Proposal, ProposalKind, ProposalState
from hivetui.engine.model.steps import StepName
from hivetui.engine.operations import directory as operation_directory
from hivetui.engine.operations import launch
from hivetui.engine.operations import store as operation_store
from hivetui.engine.operations.build_progress import find_last_seconds
from hivetui.engine.proposals import queries
from hivetui.engine.review.effect import make, store
from hivetui.engine.review.effect.store import StoredEffect

_POLL_SECONDS = 0.2
_NICENESS = 10  # operations that somebody waits for go first
_ROOT_PREFIX = "preview-"


def start(host: Host, proposal: Proposal, operator: Operator) -> Operation:
    """Start the preview of a pending proposal; TryAgain for a decided one, Busy while another one of it runs."""
    _require_previewable(host, proposal)
    request = OperationRequest(
        kind=OperationKind.PREVIEW, agent=proposal.agent, operator=operator, proposal=proposal.id
    )
    holder = f"preview of proposal {proposal.id} by {operator.name}"
    lock = locks.acquire(locks.preview_lock(host.paths, proposal.id), holder)
    try:
        return launch.start(host, request, lock)
    finally:
        lock.release()


def _require_previewable(host: Host, proposal: Proposal) -> None:
    if proposal.state is not ProposalState.PENDING:
        what = f"Proposal {proposal.id} {STATE_PHRASES[proposal.state]}; it is no longer pending"
        raise TryAgain(what, "Only what is pending is previewed.", f"See: hivetui show {proposal.id}")
    if proposal.kind is not ProposalKind.DEPLOY or proposal.commit is None:
        raise BadData(f"Proposal {proposal.id} has no effect to preview", "It asks for a new agent.", "")
    if host.settings.review.preview == "never":
        why = 'The setting review.preview is "never".'
        raise NotAllowed("Previews are switched off", why, 'Set preview = "request" under [review].')


async def preview(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Find out what the proposal of `request` would do and store it; OperationFailed, with the reason, if it fails."""
    assert request.proposal is not None
    os.nice(_NICENESS)
    async with _slot(host, progress, request):
        proposal = await queries.find_proposal(host, request.proposal)
        _require_previewable(host, proposal)
        effect = await _make(host, progress, proposal)
    if effect.failure is not None:
        lines = "\n".join(effect.failure.lines)
        fix = effect.failure.hint or f"Read the change: hivetui show {proposal.id} --diff"
        raise OperationFailed(f"Proposal {proposal.id} would fail: {effect.failure.stage}", lines, fix)


async def _make(host: Host, progress: Progress, proposal: Proposal) -> Effect:
    assert proposal.commit is not None
    profile = nixos_container.system_of(host, proposal.agent)
    subject = make.read_subject(host, proposal.agent, proposal.commit, profile)
    meta = store.read_meta_at(host, proposal.agent, subject.head)
    progress.step(StepName.EVALUATE)
    made = await make.make_effect(subject, progress)
    effect = made.effect
    if effect.state is EffectState.KNOWN:
        progress.step(StepName.BUILD)
        effect = await make.estimate_work(subject, effect, _last_build_seconds(host, proposal.agent))
        _release_roots(host.paths, proposal.agent)
        made = made._replace(effect=effect)
        effect = await make.build_effect(subject, progress, made, _root(host.paths, proposal))
    stored = StoredEffect(
        agent=proposal.agent, commit=proposal.commit, effect=effect, inputs=meta.inputs, flake=meta.flake
    )
    store.save(host.paths, proposal.id, stored)
    return effect


def _root(paths: Paths, proposal: Proposal) -> Path:
    return paths.roots / proposal.agent / f"{_ROOT_PREFIX}{proposal.id}"


def _release_roots(paths: Paths, agent: str) -> None:
    """Release what earlier previews of the agent built to garbage collection."""
    for link in (paths.roots / agent).glob(f"{_ROOT_PREFIX}*"):
        files.remove(link)


def _last_build_seconds(host: Host, agent: str) -> float | None:
    """How long the last build of the agent took that built something, None without one."""
    newest = max(operation_directory.numbers(host.paths), default=0)
    return find_last_seconds(operation_directory.directory_of(host.paths, newest + 1), agent)


@asynccontextmanager
async def _slot(host: Host, progress: Progress, request: OperationRequest) -> AsyncIterator[None]:
    """Wait for one of the slots of this hive, and hold it."""
    has_said = False
    while True:
        lock = None if _is_superseded(host, request) else _free_slot(host)
        if lock is not None:
            break
        if not has_said:
            progress.say("waiting for another preview to end (review.preview_jobs)")
            has_said = True
        await asyncio.sleep(_POLL_SECONDS)
    with lock:
        yield


def _free_slot(host: Host) -> locks.Lock | None:
    for number in range(host.settings.review.preview_jobs):
        try:
            return locks.acquire(locks.preview_slot(host.paths, number), "preview")
        except Busy:
            continue
    return None


def _is_superseded(host: Host, request: OperationRequest) -> bool:
    """Whether a newer proposal of the same agent waits too."""
    running = operation_store.list_operations(host.paths, ended=False)
    others = (one for one in running if one.kind is OperationKind.PREVIEW and one.agent == request.agent)
    return any((one.proposal or 0) > (request.proposal or 0) and one.step is None for one in others)


def effect_of(host: Host, proposal: Proposal, operations: Iterable[Operation]) -> Effect:
    """The effect of a proposal as it is known now; running while an operation looks for it."""
    running = next((one for one in operations if _is_preview_of(one, proposal.id)), None)
    if running is not None:
        return Effect(state=EffectState.RUNNING, operation=running.id)
    is_pending = proposal.state is ProposalState.PENDING
    return store.current(host, proposal.id, proposal.commit, proposal.base, is_pending)


def _is_preview_of(operation: Operation, proposal: int) -> bool:
    return operation.kind is OperationKind.PREVIEW and operation.proposal == proposal and not operation.state.ended
