"""Makes the effect of a proposal: inputs, evaluation of both sides, comparison, build. Changes no repo."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.meta import lock as meta_lock
from hivetui.engine.meta.flake import INPUT_PREFIX
from hivetui.engine.model.effect import Effect, EffectState, Failure, Unknown
from hivetui.engine.model.errors import BadData, CommandFailed, HiveError
from hivetui.engine.model.records import EffectReference
from hivetui.engine.nix import build, evaluation, sandbox
from hivetui.engine.nix.source_owner import META, SourceOwner, source_owner
from hivetui.engine.review.effect import (
    closures,
    comparison,
    evaluate,
    exposure,
    failure,
    intent,
    options,
    store,
    systems,
    work,
)
from hivetui.engine.review.effect.evaluate import EvaluationFailed, Report
from hivetui.engine.review.effect.places import Places
from hivetui.engine.review.findings.effect_changes import NOT_BUILT
from hivetui.engine.review.findings.reading import read_change
from hivetui.engine.review.findings.tree import Change

Base = Literal["builds", "fails", "unknown"]


@dataclass(frozen=True)
class Subject:
    """What is previewed: commit `new` of an agent against `old`, with meta at `head`; the system in its profile."""

    host: Host
    agent: str
    old: str
    new: str
    head: str
    profile: Path | None

    @property
    def lock(self) -> dict[str, Any]:
        """The lock file of meta."""
        return meta_lock.read(self.host.paths.meta / ".git", self.head)

    @property
    def owner(self) -> SourceOwner:
        """Whose file an error of the evaluation is about."""
        owner = source_owner(self.host, self.agent, self.new, self.head)
        return replace(owner, labels={**owner.labels, comparison.flake_text(self.host, self.agent, self.head): META})


async def evaluate_reference(host: Host, agent: str, old: str, new: str, head: str) -> EffectReference:
    """Derivation and system that result from `new`; CommandFailed if it cannot be evaluated, BadData for its inputs."""
    subject = Subject(host, agent, old, new, head, None)
    await evaluation.inspect(host, agent, new)
    with (
        comparison.written(host, agent, old, new, head) as flake,
        evaluate.opened(host, lambda text: None, agent, flake, subject.lock) as run,
    ):
        try:
            derivation, system = await evaluate.system(run)
        except EvaluationFailed as error:
            explained = _explain_evaluation(subject, error)
            raise CommandFailed("The proposal cannot be evaluated", "\n".join(explained.lines), "") from error
    return EffectReference(derivation=derivation, system=system, digest="")


class Made(NamedTuple):
    """An effect before the build, in state known or failed; and whether its packages are in the closure of a system."""

    effect: Effect
    has_closure: bool = False


async def make_effect(subject: Subject, progress: Progress) -> Made:
    """Evaluate both sides and compare them."""
    start = Effect(state=EffectState.FAILED, base=subject.old, meta=subject.head)
    try:
        await evaluation.inspect(subject.host, subject.agent, subject.new)
    except (BadData, CommandFailed) as error:
        text = f"{error.what}\n{error.why}".strip()
        return Made(start.model_copy(update={"failure": failure.explain(text, "inputs", subject.owner)}))
    with (
        comparison.written(subject.host, subject.agent, subject.old, subject.new, subject.head) as flake,
        evaluate.opened(subject.host, progress.say, subject.agent, flake, subject.lock) as run,
    ):
        try:
            report = await evaluate.report(run)
        except EvaluationFailed as error:
            return Made(start.model_copy(update={"failure": _explain_evaluation(subject, error)}))
    applied = AppliedRepo(subject.host, subject.agent)
    change = await read_change(applied, subject.old, subject.new, subject.old, "")
    effect = await asyncio.to_thread(_compare, start, subject, report, change)
    sides = (report.old.get("units", {}), report.new.get("units", {}))
    stated = intent.compare_intent(intent.parse_trailers(change.messages), effect)
    units = await exposure.add_exposure(subject.host, effect.units, *sides)
    effect = effect.model_copy(update={"intent": stated, "units": units})
    return Made(effect, systems.are_built(report.new.get("packages", ())))


def _explain_evaluation(subject: Subject, error: EvaluationFailed) -> Failure:
    seconds = subject.host.settings.review.eval_timeout
    limit = f"The evaluation took longer than {seconds} s (review.eval_timeout)" if error.timed_out else ""
    base: Base = "fails" if error.base_system == "" else "unknown"
    if error.base_system and (error.base_system == str(subject.profile) or Path(error.base_system).exists()):
        base = "builds"
    return failure.explain(error.stderr, "evaluation", subject.owner, base, limit)


def _compare(start: Effect, subject: Subject, report: Report, change: Change) -> Effect:
    places = Places(change)
    changed_options, unknown, hidden = options.compare_options(report.changes, report.sources, places.find)
    old, new = report.old, report.new
    system = str(new["system"])
    profile = str(subject.profile) if subject.profile is not None else None
    is_changed = profile != system
    packages = [systems.package_names(side.get("packages", ())) for side in (old, new)]
    old_units, new_units = old.get("units", {}), new.get("units", {})
    missing = [Unknown(namespace=one.namespace, side=one.side, why=one.why) for one in report.unknown]
    return start.model_copy(
        update={
            "state": EffectState.KNOWN,
            "derivation": str(new["derivation"]),
            "system": system,
            "changed": is_changed,
            "drift": None if old.get("system") is None or profile is None else str(old["system"]) != profile,
            "others": store.other_agents(subject.lock, subject.agent, INPUT_PREFIX),
            "options": changed_options,
            "hidden_options": hidden,
            "unknown": (*missing, *unknown),
            "packages": systems.compare_packages(packages[0], packages[1]),
            "units": systems.compare_units(old_units, new_units),
            "etc": systems.compare_etc(old.get("etc", {}), new.get("etc", {})),
            "restart": systems.restart(old_units, new_units, is_changed),
        }
    )


async def estimate_work(subject: Subject, effect: Effect, last_seconds: float | None) -> Effect:
    """The effect with what its build would take."""
    assert effect.derivation is not None
    with evaluation.evaluator(subject.host) as who:
        return effect.model_copy(
            update={"work": await work.estimate(subject.host, who, effect.derivation, last_seconds)}
        )


async def build_effect(subject: Subject, progress: Progress, made: Made, root: Path) -> Effect:
    """The effect after the build of its system, which `root` keeps from garbage collection."""
    effect = made.effect
    assert effect.derivation is not None
    isolated = await sandbox.build_options(subject.host)
    if isolated is None:
        why = "It was not built: nix isolates no builders here, and a proposal is not built without that (sandbox)."
        progress.say(why)
        unknown = (*effect.unknown, Unknown(namespace=NOT_BUILT, side="new", why=why))
        return effect.model_copy(update={"unknown": unknown})
    try:
        system = await build.build_derivation(subject.host, progress, effect.derivation, root, isolated)
    except CommandFailed as error:
        base: Base = "builds" if effect.drift is False else "unknown"
        explained = failure.explain(_output_of(error), "build", subject.owner, base)
        return effect.model_copy(update={"state": EffectState.FAILED, "failure": explained})
    if not made.has_closure or subject.profile is None:
        return effect
    with evaluation.evaluator(subject.host) as who:
        packages = await closures.compare_closures(subject.host, who, subject.profile, system)
    return effect.model_copy(update={"packages": packages}) if packages is not None else effect


def _output_of(error: HiveError) -> str:
    return error.why or error.what


def read_subject(host: Host, agent: str, new: str, profile: Path | None) -> Subject:
    """What is to be previewed, from applied `main` and meta as they are now; BadData without one of them."""
    old, head = AppliedRepo(host, agent).main(), objects.ref(host.paths.meta / ".git", "refs/heads/main")
    if old is None or head is None:
        missing = "an applied repo" if old is None else "a meta repo"
        raise BadData(f"The effect on {agent} cannot be known", f"The hive has no {missing} yet.", "hivetui repair")
    return Subject(host, agent, old, new, head, profile)
