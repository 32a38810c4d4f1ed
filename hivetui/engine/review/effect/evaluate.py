"""Evaluates both sides of a proposal at once; what fails is evaluated again in parts, so that the rest is known.

Nothing that nix says decides what is done: only whether it succeeded, and what it reports.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.meta.flake import BASE
from hivetui.engine.meta.lock import direct_input
from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.effect import Unknown
from hivetui.engine.model.findings import Side
from hivetui.engine.nix import argv, evaluation, failures, limits
from hivetui.engine.review.effect.comparison import Comparison

_SIDES: tuple[Side, ...] = ("old", "new")
_PARTS = ("packages", "units", "etc")
_SYSTEM = ("derivation", "system")
_MAX_WHY = 300


class EvaluationFailed(Exception):
    """The new side has no derivation: what nix wrote, and whether a limit ended it.

    `base_system` is the system of the old side, "" if that cannot be evaluated either, None if nobody has asked.
    """

    def __init__(self, stderr: str, timed_out: bool, base_system: str | None) -> None:
        super().__init__(stderr)
        self.stderr, self.timed_out, self.base_system = stderr, timed_out, base_system


@dataclass
class Report:
    """What compare.nix reports: by namespace the changed options, and of each side derivation, packages, units, etc."""

    old: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)

    def side(self, side: Side) -> dict[str, Any]:
        """What is known of one side."""
        return self.new if side == "new" else self.old


class Evaluation:
    """Evaluates attributes of a comparison until the time of `review.eval_timeout` is over."""

    def __init__(
        self,
        host: Host,
        say: Callable[[str], None],
        comparison: Comparison,
        allowed: tuple[str, ...],
        who: evaluation.Evaluator,
    ) -> None:
        self._host, self._say, self._comparison = host, say, comparison
        self._allowed, self._who = allowed, who
        self._deadline = asyncio.get_running_loop().time() + host.settings.review.eval_timeout

    @property
    def seconds_left(self) -> float:
        """How long it may still take."""
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    async def run(self, attribute: str) -> Completed:
        """Evaluate one attribute to JSON, whatever comes of it."""
        options = (*argv.SAFETY, *limits.restricted(self._host, self._allowed), "--no-write-lock-file")
        target = f"{self._comparison.flake}#{attribute}"
        nix = (*self._host.tools.nix, "eval", "--json", *options, *self._comparison.overrides, target)
        command = Command(
            (*self._who.prefix, *limits.limited(self._host, nix)),
            env=self._who.environment,
            timeout=max(0.1, self.seconds_left),
            keep=limits.MAX_OUTPUT,
        )
        completed = await self._host.runner.run(command, _ignore)
        if completed.status != 0:
            how = "took too long" if completed.timed_out else "failed"
            self._say(f"evaluating {attribute} {how}")
            for line in failures.summarize(stderr_of(completed)).splitlines():
                self._say(f"  {line}")
        return completed

    async def value(self, attribute: str) -> tuple[Any, str]:
        """The value of an attribute and "", or None and why it has none."""
        if not self.seconds_left:
            return None, f"not evaluated within {self._host.settings.review.eval_timeout} s"
        completed = await self.run(attribute)
        if completed.timed_out:
            return None, f"not evaluated within {self._host.settings.review.eval_timeout} s"
        parsed = parse(completed)
        return (parsed, "") if parsed is not None else (None, first_line(stderr_of(completed)))


def _ignore(_stream: str, _text: str, _cut: int) -> None:
    """Warnings about a lock file that is written nowhere are no news; errors are reported as a whole."""


async def report(evaluation: Evaluation) -> Report:
    """Everything that is known of both sides; EvaluationFailed without a derivation of the new one."""
    completed = await evaluation.run("report")
    whole = parse(completed)
    if isinstance(whole, dict):
        return Report(whole["old"], whole["new"], whole["changes"], whole["sources"])
    return await _in_parts(evaluation, completed)


async def system(evaluation: Evaluation) -> tuple[str, str]:
    """Derivation and system of the new side; EvaluationFailed."""
    completed = await evaluation.run("system")
    found = parse(completed)
    if not isinstance(found, list):
        raise EvaluationFailed(stderr_of(completed), completed.timed_out, None)
    return str(found[0]), str(found[1])


async def _in_parts(evaluation: Evaluation, whole: Completed) -> Report:
    """What can be evaluated, namespace by namespace, and for the rest why it cannot."""
    if whole.timed_out:
        raise EvaluationFailed(stderr_of(whole), True, None)
    found = Report()
    completed = await evaluation.run("new.derivation")
    if parse(completed) is None:
        old, _ = await evaluation.value("old.system")
        raise EvaluationFailed(stderr_of(completed), completed.timed_out, str(old or ""))
    sources, _ = await evaluation.value("sources")
    found.sources = sources or {}
    for side in _SIDES:
        whole_side, _ = await evaluation.value(side)
        if whole_side is None:
            await _add_parts(evaluation, found, side)
        else:
            found.side(side).update(whole_side)
    await _add_namespaces(evaluation, found)
    return found


async def _add_parts(evaluation: Evaluation, found: Report, side: Side) -> None:
    for part in (*_SYSTEM, *_PARTS):
        value, why = await evaluation.value(f"{side}.{part}")
        if value is None:
            found.unknown.append(_unknown("system" if part in _SYSTEM else part, side, why))
        else:
            found.side(side)[part] = value


async def _add_namespaces(evaluation: Evaluation, found: Report) -> None:
    names, why = await evaluation.value("namespaces")
    if names is None:
        found.unknown.append(_unknown("options", "new", why))
    for name in names or ():
        quoted = json.dumps(name)
        changes, why = await evaluation.value(f"changes.{quoted}")
        if changes is not None:
            found.changes[name] = changes
            continue
        failed = []
        for side in _SIDES:
            is_whole, reason = await evaluation.value(f"check.{side}.{quoted}")
            if is_whole is None:
                failed.append(_unknown(name, side, reason))
        found.unknown += failed or [_unknown(name, "new", why)]


def _unknown(namespace: str, side: Side, why: str) -> Unknown:
    return Unknown(namespace=namespace, side=side, why=why[:_MAX_WHY] or "it cannot be evaluated")


def parse(completed: Completed) -> Any:
    """The JSON that nix printed; None if it failed."""
    if completed.status != 0:
        return None
    try:
        return json.loads(completed.stdout)
    except (ValueError, RecursionError):  # the output is cut at its limit
        return None


def stderr_of(completed: Completed) -> str:
    """What nix wrote to standard error."""
    return quote_output(completed.stderr)


def first_line(stderr: str) -> str:
    """What an error says, without where."""
    return next(iter(failures.summarize(stderr).splitlines()), "").strip().removeprefix("error: ")


@contextmanager
def opened(
    host: Host, say: Callable[[str], None], name: str, comparison: Comparison, lock: dict[str, Any]
) -> Iterator[Evaluation]:
    """An evaluation by the evaluator of this host, which may read the agent's applied repo and the base flake."""
    base = direct_input(lock, BASE) or {}
    places = [f"file://{host.paths.applied_of(name)}", str(base.get("locked", {}).get("url", ""))]
    with evaluation.evaluator(host) as who:
        yield Evaluation(host, say, comparison, tuple(filter(None, places)), who)
