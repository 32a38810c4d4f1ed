"""Findings and rules as text for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hivetui.engine.model.findings import Assessment, Finding, RuleInfo, format_counts
from hivetui.engine.model.text import safe, safe_lines

_TEXT_CELLS = 300


def show_assessment(assessment: Assessment, is_whole: bool = False) -> list[str]:
    """The findings, the most serious first, three lines each, and which rules ran; `is_whole`: none is cut."""
    silenced = sum(one.count for one in assessment.silenced)
    notes = [f"{assessment.ran} rules ran"] if assessment.ran else ["as recorded with the decision"]
    if silenced:
        notes.append(f"{silenced} silenced: {', '.join(one.rule for one in assessment.silenced if one.count)}")
    head = f"findings: {format_counts(assessment.findings)} ({'; '.join(notes)})"
    return ["", head, *(line for finding in assessment.findings for line in show_finding(finding, is_whole))]


def show_finding(finding: Finding, is_whole: bool = False) -> list[str]:
    """One finding: its severity and place, its evidence, cut if it is long unless `is_whole`, and why it matters."""
    place = f"{safe(finding.file)}:{finding.line}" if finding.line and finding.file else safe(finding.file or "")
    old = " (removed)" if finding.side == "old" else ""
    lines = [
        f"  {finding.severity.value:<9} {place or '-'}{old}  {finding.id}",
        f"            {safe(finding.text, None if is_whole else _TEXT_CELLS)}",
        f"            {safe(finding.why)}",
    ]
    if (known := finding.acknowledged) is not None:
        lines.append(f"            acknowledged in #{known.proposal} by {safe(known.operator)}")
    return lines


def show_rules(rules: Sequence[RuleInfo], table: list[str]) -> list[str]:
    """The rules one a line, and how many there are."""
    return [*table, "", f"{len(rules)} rules; read one with its examples: hivetui rules RULE"]


def rule_row(rule: RuleInfo) -> tuple[str, ...]:
    """One rule in the list."""
    level = f"{rule.severity.value} (silenced)" if rule.silenced else rule.severity.value
    return f"{rule.id}@{rule.version}", level, rule.match, safe(rule.why)


def show_rule(rule: RuleInfo) -> list[str]:
    """One rule with its fixtures."""
    fields = {"rule": f"{rule.id}@{rule.version}", "severity": rule.severity.value, "match": rule.match}
    fields |= {"why": safe(rule.why), "source": safe(rule.source)}
    if rule.silenced:
        fields["silenced"] = safe(rule.silenced)
    lines = [f"{name + ':':<11}{value}" for name, value in fields.items()]
    return [*lines, *_fixture("fires", rule.fires), *_fixture("silent", rule.silent)]


def _fixture(name: str, text: str | None) -> Iterable[str]:
    return ["", f"{name}:", *(f"  {line}" for line in safe_lines(text.strip("\n")))] if text else [f"{name}: none"]
