"""What findings demand of an approval: nothing forbidden, and each critical one acknowledged. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hivetui.engine.model.errors import NotAllowed, Stale
from hivetui.engine.model.findings import Finding, Severity
from hivetui.engine.model.text import safe

_NAMED = 10
"""Findings that an error names; of more it says how many."""


def require_acknowledged(number: int, findings: Sequence[Finding], acknowledged: Collection[str]) -> None:
    """Refuse an approval: Stale for an id that the proposal does not have, else NotAllowed, naming the findings."""
    known = {finding.id for finding in findings}
    if unknown := [name for name in acknowledged if name not in known]:
        raise Stale(
            f"Proposal {number} has no finding {safe(unknown[0], 90)}",
            "It was changed, or its evidence was, since that was read.",
            f"Review it again: hivetui show {number}",
        )
    if forbidden := [finding for finding in findings if finding.severity is Severity.FORBID]:
        why = "The configuration forbids what was found; only a change of the configuration lifts that."
        raise NotAllowed(
            f"Proposal {number} cannot be approved: {_count(forbidden)} forbidden",
            f"{why}\n{_list(forbidden)}",
            f"Deny it: hivetui deny {number} --note TEXT",
        )
    missing = [one for one in findings if one.severity is Severity.CRITICAL and one.id not in acknowledged]
    if missing:
        options = " ".join(f"--acknowledge {finding.id}" for finding in missing[:_NAMED])
        raise NotAllowed(
            f"Proposal {number} was not approved: {_count(missing, 'critical ')} not acknowledged",
            _list(missing),
            f"Read each of them: hivetui show {number} --diff. Then approve with {options}",
        )


def _count(findings: Sequence[Finding], kind: str = "") -> str:
    return f"1 {kind}finding is" if len(findings) == 1 else f"{len(findings)} {kind}findings are"


def _list(findings: Sequence[Finding]) -> str:
    lines = [f"{finding.id} {_place(finding)}{safe(finding.text, 100)}" for finding in findings[:_NAMED]]
    return "\n".join([*lines, *([f"and {len(findings) - _NAMED} more"] if len(findings) > _NAMED else [])])


def _place(finding: Finding) -> str:
    if finding.file is None:
        return ""
    return f"{safe(finding.file, 60)}:{finding.line or '-'}: "
