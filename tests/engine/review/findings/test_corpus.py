"""Precision and recall of the rules over a corpus of changes in many spellings, and over harmless ones."""

from __future__ import annotations

import pytest

from hivetui.engine.model.findings import Finding, Severity
from hivetui.engine.model.settings import ReviewSection
from hivetui.engine.review.findings.evaluate import evaluate
from hivetui.engine.review.findings.rule_set import load_rules
from tests.engine.review.findings.changes import CHANGES
from tests.engine.review.findings.corpus import Case
from tests.engine.review.findings.harmless import HARMLESS

RULES = load_rules(ReviewSection())
SERIOUS = (Severity.CRITICAL, Severity.HIGH)


def found_in(case: Case) -> list[Finding]:
    return list(evaluate(case.change, RULES).findings)


def places(findings: list[Finding]) -> set[tuple[str, str | None, int | None]]:
    return {(finding.rule, finding.file, finding.line) for finding in findings}


def serious(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity in SERIOUS]


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.name)
def test_each_change_is_found_at_its_line_and_nothing_else_is_serious(case: Case) -> None:
    findings = found_in(case)
    assert case.expected | case.elsewhere, "a case of the corpus says what must be found"
    assert case.expected <= places(findings)
    assert case.elsewhere <= {(finding.rule, finding.file or "") for finding in findings}
    expected_rules = {rule for rule, *_ in (*case.expected, *case.elsewhere)}
    assert {finding.rule for finding in serious(findings)} <= expected_rules


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_a_harmless_change_draws_nothing_serious(case: Case) -> None:
    assert [(finding.rule, finding.line, finding.text) for finding in serious(found_in(case))] == []


def test_precision_and_recall_are_whole_over_sixty_changes_and_forty_harmless_ones(
    record_property: pytest.FixtureRequest,
) -> None:
    assert len(CHANGES) >= 60
    assert len(HARMLESS) >= 40
    expected = found = right = reported = 0
    for case in CHANGES:
        findings = found_in(case)
        expected += len(case.expected)
        found += len(case.expected & places(findings))
        rules = {rule for rule, *_ in (*case.expected, *case.elsewhere)}
        reported += len(serious(findings))
        right += sum(finding.rule in rules for finding in serious(findings))
    reported += sum(len(serious(found_in(case))) for case in HARMLESS)
    recall, precision = found / expected, right / reported
    print(f"recall {recall:.3f} of {expected} lines, precision {precision:.3f} of {reported} serious findings")
    assert (recall, precision) == (1.0, 1.0)
