"""What the rules find in a proposal, and what the rules are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Literal

from hivetui.engine.model.base import Model

Side = Literal["old", "new"]


class Severity(StrEnum):
    """How serious a finding is, the most serious first.

    `forbid` cannot be approved at all. Each `critical` finding must be acknowledged, and the agent's name typed.
    """

    FORBID = "forbid"
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Its place in the order, 0 for the most serious."""
        return _ORDER.index(self)


_ORDER = tuple(Severity)
_PHRASES = {Severity.FORBID: "forbidden"}


class Acknowledgement(Model):
    """Who acknowledged the same evidence in an earlier proposal, and when."""

    proposal: int
    operator: str
    at: datetime


class Finding(Model):
    """What a rule found in a proposal: the evidence (`text`), and in one sentence `why` it matters.

    `id` is RULE@VERSION and a hash of the evidence: path, attribute path or object, and value, but no line number. The
    same evidence has the same id in every proposal. `file` and `line` are None for a commit message and for what
    concerns the whole repo; `line` counts from 1 on `side`. `node` is the attribute path, or the node of a lock file.
    """

    id: str
    rule: str
    severity: Severity
    file: str | None
    line: int | None
    side: Side | None
    node: str | None
    text: str
    why: str
    acknowledged: Acknowledgement | None = None


def count_severities(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many findings there are of each severity that occurs, the most serious first."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in Severity if counts[severity]}


def format_counts(findings: Iterable[Finding]) -> str:
    """The same in words: "2 critical, 1 high"; "none" without a finding."""
    counts = count_severities(findings).items()
    return ", ".join(f"{count} {_PHRASES.get(severity, severity)}" for severity, count in counts) or "none"


class Silenced(Model):
    """A rule that the configuration silences: why, and how many findings it would have had."""

    rule: str
    reason: str
    count: int


class Assessment(Model):
    """The findings of a proposal, the most serious first, and how they were made.

    `ran` is the number of rules that ran. `failed` are rules that could not; each is a finding too.
    """

    findings: tuple[Finding, ...] = ()
    ran: int = 0
    failed: tuple[str, ...] = ()
    silenced: tuple[Silenced, ...] = ()


class RuleInfo(Model):
    """One rule as it is in force: its `source` is "hivetui" or the file that defines it.

    `fires` and `silent` are its fixtures, None if it has none: a change that it must find, and a near miss that it
    must not. `silenced` is the reason for which the configuration silences it.
    """

    id: str
    version: int
    severity: Severity
    why: str
    match: str
    source: str
    fires: str | None
    silent: str | None
    silenced: str | None = None
