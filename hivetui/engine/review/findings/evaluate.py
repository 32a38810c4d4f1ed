"""Applies rules to a change: from two trees to findings. Pure, and bounded whatever the trees hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hivetui.engine.model.effect import Effect
from hivetui.engine.model.findings import Assessment, Finding, Silenced
from hivetui.engine.review.findings.budget import MAX_FINDINGS, Budget, TooMuch
from hivetui.engine.review.findings.effect_changes import effect_subjects, left_out_subject
from hivetui.engine.review.findings.effect_findings import apply_to_effect
from hivetui.engine.review.findings.effect_options import Evaluated
from hivetui.engine.review.findings.lock_changes import LOCK, UnreadableLock, compare_locks
from hivetui.engine.review.findings.matching import Subjects, apply_rule, make_finding
from hivetui.engine.review.findings.option_changes import compare_options
from hivetui.engine.review.findings.path_changes import WHOLE, path_subjects, unread_subject
from hivetui.engine.review.findings.rule import Rule
from hivetui.engine.review.findings.rule_set import RuleSet
from hivetui.engine.review.findings.sources import Sources
from hivetui.engine.review.findings.subject import Subject
from hivetui.engine.review.findings.text_changes import history_subjects, message_subjects, text_subjects
from hivetui.engine.review.findings.tree import Change


def evaluate(change: Change, rules: RuleSet, budget: Budget | None = None, effect: Effect | None = None) -> Assessment:
    """The findings of a change and, if its effect is known, of that; the most serious first."""
    subjects = read_subjects(change, budget or Budget())
    evaluated = Evaluated(effect) if effect is not None else None
    if effect is not None and evaluated is not None:
        subjects.add(effect_subjects(effect))
        if not evaluated.is_whole:
            subjects.add([left_out_subject("the effect changes more values than are looked at")])
    findings: list[Finding] = []
    silenced, failed = [], []
    time_to_match = Budget()
    for rule in rules.rules.values():
        if rule.match == "effect" and effect is None:
            continue
        try:
            time_to_match.check_time()
            found = list(apply_rule(rule, subjects))
            if evaluated is not None and rule.match == "option":
                found += apply_to_effect(rule, evaluated, subjects)
        except TooMuch as limit:
            failed.append(rule.id)
            findings.append(_not_run(rule, rules, limit))
            continue
        if rule.id in rules.silence:
            silenced.append(Silenced(rule=rule.id, reason=rules.silence[rule.id], count=len(found)))
        else:
            findings += found
    unique: dict[str, Finding] = {}
    for finding in sorted(findings, key=_order):
        unique.setdefault(finding.id, finding)
    kept = _bounded(sorted(unique.values(), key=_order), rules)
    without_effect = sum(rule.match == "effect" for rule in rules.rules.values()) if effect is None else 0
    ran = len(rules.rules) - len(silenced) - len(failed) - without_effect
    return Assessment(findings=kept, ran=ran, failed=tuple(failed), silenced=tuple(silenced))


def _not_run(rule: Rule, rules: RuleSet, limit: TooMuch) -> Finding:
    """The finding for a rule that did not run."""
    why = f"the rule {rule.id} did not run: {limit}"
    return make_finding(rules.rules["unread"], unread_subject(WHOLE, why, "new", None), (why,))


def _order(finding: Finding) -> tuple[object, ...]:
    return finding.severity.rank, finding.file or "", finding.line or 0, finding.rule


def _bounded(findings: list[Finding], rules: RuleSet) -> tuple[Finding, ...]:
    """At most MAX_FINDINGS; that some are left out is a finding itself."""
    left_out = len(findings) - MAX_FINDINGS
    if left_out <= 0:
        return tuple(findings)
    rule = rules.rules["unread"]
    why = f"{left_out} more findings, the least serious ones, are not listed"
    return (make_finding(rule, unread_subject(WHOLE, why, "new", None), (why,)), *findings[:MAX_FINDINGS])


# Subjects


def read_subjects(change: Change, budget: Budget) -> Subjects:
    """Everything that rules can match; what was not looked at is a subject too."""
    subjects, sources = Subjects(), Sources(budget)
    subjects.add(message_subjects(change))
    subjects.add(history_subjects(change))
    _attempt(subjects, lambda: subjects.add(_lock_subjects(change)))
    _attempt(subjects, lambda: subjects.add(path_subjects(change, sources)))
    _attempt(subjects, lambda: _add_options(change, sources, budget, subjects))
    _attempt(subjects, lambda: subjects.add(text_subjects(change, budget)))
    subjects.add(_unread_files(change))
    return subjects


def _attempt(subjects: Subjects, read: Callable[[], None]) -> None:
    try:
        read()
    except (TooMuch, RecursionError) as limit:
        why = str(limit) if isinstance(limit, TooMuch) else "it nests too deeply"
        subjects.add([unread_subject(WHOLE, why, "new", None)])


def _lock_subjects(change: Change) -> Iterator[Subject]:
    paths = {*change.changed, *change.removed}
    for path in sorted(path for path in paths if path.rpartition("/")[2] == LOCK):
        new = change.new.files.get(path)
        old = change.old_of(path) if new is not None else change.old.files[path]
        try:
            yield from compare_locks(old, new)
        except UnreadableLock as wrong:
            yield unread_subject(path, str(wrong), "new", new)


def _add_options(change: Change, sources: Sources, budget: Budget, subjects: Subjects) -> None:
    options = compare_options(change, sources, budget)
    subjects.old_objects, subjects.new_objects = options.old_objects, options.new_objects
    subjects.add(options.subjects)
    for (side, path), why in options.unread.items():
        blob = (change.new if side == "new" else change.old).files.get(path)
        subjects.add([unread_subject(path, why, side, blob)])
    for side, tree in (("new", change.new), ("old", change.old)):
        for path, blob in tree.files.items():
            is_known = side == "old" and blob.oid in {one.oid for one in (change.new.files.get(path),) if one}
            if blob.oid in sources.unread and not is_known:
                subjects.add([unread_subject(path, sources.unread[blob.oid], side, blob)])


def _unread_files(change: Change) -> Iterator[Subject]:
    """The changed files whose content was not read; those of Nix are told where they are parsed."""
    for path in change.changed:
        blob = change.new.files[path]
        if blob.content is None and blob.why and not path.endswith(".nix"):
            yield unread_subject(path, blob.why, "new", blob)
    if not (change.old.complete and change.new.complete):
        yield unread_subject(WHOLE, "there are more files than are looked at", "new", None)
