"""The nine steps of a deploy, in order. The package's docstring says what each writes to disk.

Where the agent runs what was built already, nothing is restarted unless the approval asked for that: `stop`, `switch`
and `health` are left out.

An agent that was stopped is started for the health check nevertheless, since only a system that starts is deployed,
and then stopped again. A deploy never reloads a container: that would run the container's programs on the host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hivetui.engine.agents import container_files, deployed, meta_changes, previous_system
from hivetui.engine.agents.previous_system import Snapshot
from hivetui.engine.containers import conf, health, nixos_container, ports, units
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host import files
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import CommandFailed, OperationFailed, Stale
from hivetui.engine.model.records import EffectReference
from hivetui.engine.model.steps import DEPLOY_STEPS, StepName
from hivetui.engine.nix import build
from hivetui.engine.proposals import claims
from hivetui.engine.proposals.claims import Claim
from hivetui.engine.proposals.tag_messages import BuildRecord

ROOTS_KEPT = 3
"""How many candidates of an agent are kept from garbage collection: the one that runs, and two to roll back to."""


@dataclass(frozen=True)
class DeployRun:
    """One deploy. `record` is the state of the agent before it, None until the step `record`.

    With `is_in_place` the agent runs the candidate already, so that no restart is necessary.
    """

    host: Host
    progress: Progress
    claim: Claim
    record: BuildRecord | None = None
    is_in_place: bool = False

    @property
    def name(self) -> str:
        """The name of the agent."""
        return self.claim.agent

    @property
    def number(self) -> int:
        """The id of the proposal."""
        return self.claim.proposal

    @property
    def commit(self) -> str:
        """The commit that is deployed."""
        return self.claim.commit

    @property
    def out_link(self) -> Path:
        """The link to the candidate; nix keeps what it points to from garbage collection."""
        return self.host.paths.roots / self.name / str(self.number)

    @property
    def candidate(self) -> Path | None:
        """The system that was built for the commit, None before the step `build`."""
        return self.out_link.readlink() if self.out_link.is_symlink() else None

    @property
    def applied(self) -> AppliedRepo:
        """The agent's applied repo."""
        return AppliedRepo(self.host, self.name)

    @property
    def required_record(self) -> BuildRecord:
        """`record`; OperationFailed without one, which happens only if `building/<id>` was changed by hand."""
        if self.record is None:
            raise OperationFailed(
                f"Proposal {self.number} has no record of the state before its deploy", "", "hivetui repair"
            )
        return self.record

    @property
    def previous(self) -> Snapshot:
        """The system before the deploy, and whether it ran."""
        system = self.required_record.old_system
        return Snapshot(system=Path(system) if system else None, ran=self.required_record.was_running)

    @property
    def keeps_system(self) -> bool:
        """Whether the candidate is the system that the agent had before."""
        return self.record is not None and self.candidate is not None and self.candidate == self.previous.system

    @property
    def is_committed(self) -> bool:
        """Whether `main` has moved to the commit (or `deployed/<id>` exists): from there nothing is rolled back."""
        moved = self.record is not None and self.record.main != self.commit and self.applied.main() == self.commit
        return moved or self.applied.tag(f"deployed/{self.number}") is not None


StepAction = Callable[[DeployRun], Awaitable[DeployRun]]


@dataclass(frozen=True)
class Step:
    """One durable step: its name in the operation's record, and the function that does it."""

    name: StepName
    act: StepAction


async def check_claim(run: DeployRun) -> DeployRun:
    """Check that `main` is still the base of the approval, and that the agent can be started."""
    main = deployed.deployed_commit(run.host, run.name)
    if main != run.claim.base:
        raise Stale(
            f"Proposal {run.number} was compared with {run.claim.base[:12]}",
            f"{run.name} is now at {main[:12]}.",
            retry_fix(run.number),
        )
    conf.require_container(run.host.paths, run.name)
    ports.require_free(run.name, await units.unit_states(run.host))
    return run


async def record_previous(run: DeployRun) -> DeployRun:
    """Create `building/<id>` with the state before the deploy; one that an earlier run created is kept."""
    record = claims.load_build_record(run.host, run.name, run.number)
    if record is None:
        snapshot = await previous_system.take_snapshot(run.host, run.name)
        record = BuildRecord(
            old_system=str(snapshot.system) if snapshot.system else None,
            was_running=snapshot.ran,
            meta_head=await repository.head(run.host),
            main=run.claim.base,
        )
        await claims.mark_building(run.host, run.name, run.number, record)
    return replace(run, record=record)


async def build_candidate(run: DeployRun) -> DeployRun:
    """Build the system of the commit while the agent goes on running.

    An approval that is bound to an effect names the derivation: that is built, and nothing is evaluated again.
    """
    files.make_directory(run.out_link.parent)
    try:
        if run.claim.effect is not None:
            await _build_shown(run, run.claim.effect)
        else:
            await build.build_system(run.host, run.progress, run.name, run.commit, run.out_link)
    except CommandFailed as error:
        fix = error.fix or f"Read the change: hivetui show {run.number} --diff"
        raise CommandFailed(error.what, error.why, fix) from error
    return run


async def _build_shown(run: DeployRun, effect: EffectReference) -> None:
    run.progress.say(f"building what was approved, {effect.derivation}")
    system = await build.build_derivation(run.host, run.progress, effect.derivation, run.out_link)
    if str(system) != effect.system:
        files.remove(run.out_link)
        why = f"It is {system}, and {effect.system} was shown."
        raise OperationFailed(f"The derivation of proposal {run.number} has another output", why, retry_fix(run.number))


async def compare_with_running(run: DeployRun) -> DeployRun:
    """Whether the agent has the candidate already, running if it ran; if so, that goes into the operation's record.

    Where the approval asked for a restart, the answer is no. It is asked before `stop`, and again when an interrupted
    deploy is resumed there: by then a reboot may have stopped the container.
    """
    candidate = require_candidate(run)
    if not run.keeps_system:
        return run
    if not await previous_system.is_in_place(run.host, run.name, candidate, run.previous.ran):
        return run
    if run.claim.restart:
        run.progress.say(f"{run.name} already has the system that was built; it is restarted, as was asked for.")
        return run
    previous_system.report_unchanged(run.progress, run.name)
    return replace(run, is_in_place=True)


async def stop_container(run: DeployRun) -> DeployRun:
    """Write .conf, limits and mount sources, then stop the container."""
    await container_files.write_container_files(run.host, run.progress, run.name)
    await nixos_container.stop(run.host, run.progress, run.name)
    return run


async def switch_profile(run: DeployRun) -> DeployRun:
    """Make the candidate the container's system: one rename of its profile symlink."""
    await nixos_container.set_profile(run.host, run.progress, run.name, require_candidate(run))
    return run


async def check_health(run: DeployRun) -> DeployRun:
    """Start the container and verify that it stays up; then stop it again if it was stopped before."""
    await container_files.recreate_runtime_files(run.host, run.progress, run.name)
    await health.start_and_verify(run.host, run.progress, run.name, run.host.settings.deploy.health_seconds)
    if not run.previous.ran:
        await nixos_container.stop(run.host, run.progress, run.name)
    return run


async def pin_in_meta(run: DeployRun) -> DeployRun:
    """Lock the agent at the commit in meta. By its hash, because `main` has not moved yet."""
    message = f"{run.name}: deploy {run.number} at {run.commit[:12]}\n\nProposal {run.number}, commit {run.commit}"
    await meta_changes.pin_in_meta(run.host, run.progress, run.name, run.commit, message)
    return run


async def move_main(run: DeployRun) -> DeployRun:
    """Move `main` from the base to the commit, the commit point of the deploy."""
    if run.applied.main() != run.commit and not await run.applied.move_main(run.commit, run.claim.base):
        raise Stale(f"main of {run.name} moved during its deploy", "Another program wrote to the applied repo.", "")
    return run


async def finish(run: DeployRun) -> DeployRun:
    """Remember what was built, create `deployed/<id>`, prune old candidates, and last remove `building/<id>`."""
    candidate = require_candidate(run)
    before_build = run.record.meta_head if run.record is not None else None  # meta may have moved since
    await deployed.remember_built(run.host, run.name, candidate, run.claim.effect_meta or before_build)
    await claims.mark_deployed(run.host, run.name, run.number, run.commit, run.keeps_system, str(candidate))
    prune_roots(run.host, run.name)
    await claims.unmark_building(run.host, run.name, run.number)
    return run


_ACTIONS: dict[StepName, StepAction] = {
    StepName.CLAIM: check_claim,
    StepName.RECORD: record_previous,
    StepName.BUILD: build_candidate,
    StepName.STOP: stop_container,
    StepName.SWITCH: switch_profile,
    StepName.HEALTH: check_health,
    StepName.META: pin_in_meta,
    StepName.MAIN: move_main,
    StepName.END: finish,
}
RESTART_STEPS = (StepName.STOP, StepName.SWITCH, StepName.HEALTH)
"""What is left out if the agent runs the candidate already."""
STEPS: tuple[Step, ...] = tuple(Step(name, _ACTIONS[name]) for name in DEPLOY_STEPS)


def retry_fix(number: int) -> str:
    """What to do about a proposal whose deploy or spawn did not finish."""
    return f"Propose the same again: hivetui retry {number}"


def require_candidate(run: DeployRun) -> Path:
    """The system that was built; OperationFailed when its out-link was removed."""
    candidate = run.candidate
    if candidate is None:
        why = f"{run.out_link} does not exist."
        raise OperationFailed(f"The candidate of proposal {run.number} is missing", why, retry_fix(run.number))
    return candidate


def prune_roots(host: Host, name: str) -> None:
    """Release the old candidates of an agent to garbage collection: all but the newest, and the one that runs."""
    profile = nixos_container.system_of(host, name)
    links = [link for link in (host.paths.roots / name).glob("*") if link.name.isdigit()]
    for link in sorted(links, key=lambda link: -int(link.name))[ROOTS_KEPT:]:
        if link.is_symlink() and link.readlink() != profile:
            files.remove(link)
