"""The corpus once more, as what an evaluation of it says: found just as well, and nothing twice."""

from __future__ import annotations

import pytest

from hivetui.engine.model.effect import Effect, EffectState, OptionChange
from hivetui.engine.model.findings import Severity
from hivetui.engine.model.settings import ReviewSection
from hivetui.engine.review.effect import notation
from hivetui.engine.review.findings.budget import Budget
from hivetui.engine.review.findings.evaluate import evaluate, read_subjects
from hivetui.engine.review.findings.rule_set import load_rules
from hivetui.engine.review.findings.subject import Subject
from hivetui.engine.review.findings.tree import Change
from tests.engine.review.findings.changes import CHANGES
from tests.engine.review.findings.corpus import Case
from tests.engine.review.findings.harmless import HARMLESS

pytestmark = pytest.mark.slow
RULES = load_rules(ReviewSection())
SERIOUS = (Severity.CRITICAL, Severity.HIGH)
NO_OPTIONS = (
    "imports",
    "builtins",
    "import",
    "override",
    "nixConfig",
    "inputs",
    "disabledModules",
    "outputs",
    "_module",
)


def evaluated(case: Case) -> Effect:
    """The effect of what the text of a change sets to constants."""
    groups: dict[tuple[str, str], list[Subject]] = {}
    for subject in read_subjects(case.change, Budget()).found["option"]:
        is_option = subject.path[0] not in NO_OPTIONS and "?" not in subject.path
        if is_option and subject.known and subject.file != "flake.nix":
            groups.setdefault((notation.dotted(subject.path), subject.side), []).append(subject)
    return Effect(state=EffectState.KNOWN, options=tuple(_change(*key, group) for key, group in groups.items()))


def _change(option: str, side: str, group: list[Subject]) -> OptionChange:
    texts = [one.text.split(" (")[0] if one.text.startswith(".") else one.text for one in group]
    value = texts[0] if len(texts) == 1 else f"[ {' '.join(texts)} ]"
    old, new = (None, value) if side == "new" else (value, None)
    return OptionChange(option=option, old=old, new=new, file=group[0].file, line=group[0].line, side=group[0].side)


def test_what_the_text_says_is_not_found_twice() -> None:
    for case in (*CHANGES, *HARMLESS):
        with_effect = evaluate(case.change, RULES, effect=evaluated(case)).findings
        assert with_effect == evaluate(case.change, RULES).findings, case.name


def test_what_the_text_does_not_say_is_found_where_the_effect_says() -> None:
    seen = 0
    for case in CHANGES:
        effect = evaluated(case)
        places = {(one.option, one.file, one.line) for one in effect.options}
        written = evaluate(case.change, RULES).findings
        wanted = {(one.rule, one.file, one.line) for one in written if (one.node, one.file, one.line) in places}
        found = evaluate(Change(case.change.old, case.change.old), RULES, effect=effect).findings
        assert wanted <= {(one.rule, one.file, one.line) for one in found}, case.name
        seen += len(wanted)
    assert seen >= 60


def test_the_effect_of_a_harmless_change_draws_nothing_serious() -> None:
    for case in HARMLESS:
        found = evaluate(Change(case.change.old, case.change.old), RULES, effect=evaluated(case)).findings
        assert [one.text for one in found if one.severity in SERIOUS] == [], case.name
