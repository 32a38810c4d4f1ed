"""Applies rules to a change: from two trees to findings. Pure, and bounded whatever the trees hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hivetui.engine.model.effect import Effect
from hivetui.engine.model.findings import Assessment, Finding, Silenced
from hivetui.engine.review.findings.budget import MAX_FINDINGS, Budget, TooMuch
from hivetui.engine.review.findings.effect_changes import effect_subjects
from hivetui.engine.review.findings.lock_changes import LOCK, UnreadableLock, compare_locks
from hivetui.engine.review.findings.nix_scope import Names
from hivetui.engine.review.findings.option_changes import compare_options, dotted
from hivetui.engine.review.findings.path_changes import path_subjects, unread_subject
from hivetui.engine.review.findings.rule import BEGINNING, Rule
from hivetui.engine.review.findings.rule_set import RuleSet
from hivetui.engine.review.findings.sources import Sources
from hivetui.engine.review.findings.subject import Kind, Subject, finding_id
from hivetui.engine.review.findings.text_changes import history_subjects, message_subjects, text_subjects
from hivetui.engine.review.findings.tree import Change

MAX_TEXT = 400
"""Characters of the text of a finding."""
MAX_IN_FILE = 20
"""Findings of one rule in one file; what is more is told in one finding."""
SECRET_TEXT = "(a secret, not repeated here)"  # noqa: S105
_WHOLE = "the whole change"


@dataclass
class Subjects:
    """What there is to match, by kind; and the beginnings of the paths that either side sets."""

    found: dict[Kind, list[Subject]] = field(default_factory=lambda: defaultdict(list))
    old_objects: frozenset[Names] = frozenset()
    new_objects: frozenset[Names] = frozenset()

    options: dict[Names, list[Subject]] = field(default_factory=lambda: defaultdict(list))
    """The options by the first names of their paths."""

    def add(self, subjects: Iterable[Subject]) -> None:
        """Add subjects; those before a limit stay."""
        for subject in subjects:
            self.found[subject.kind].append(subject)
            if subject.kind == "option":
                self.options[subject.path[:BEGINNING]].append(subject)

    def candidates(self, rule: Rule) -> Iterator[Subject]:
        """What a rule may find."""
        if rule.match == "option":
            yield from (one for path, group in self.options.items() if rule.may_find(path) for one in group)
        else:
            yield from self.found.get(rule.match, ())


def evaluate(change: Change, rules: RuleSet, budget: Budget | None = None, effect: Effect | None = None) -> Assessment:
    """The findings of a change and, if its effect is known, of that; the most serious first."""
    subjects = read_subjects(change, budget or Budget())
    if effect is not None:
        subjects.add(effect_subjects(effect))
    findings: list[Finding] = []
    silenced, failed = [], []
    time_to_match = Budget()
    for rule in rules.rules.values():
        if rule.match == "effect" and effect is None:
            continue
        try:
            time_to_match.check_time()
            found = list(apply_rule(rule, subjects))
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
    return _finding(rules.rules["unread"], unread_subject(_WHOLE, why, "new", None), (why,))


def _order(finding: Finding) -> tuple[object, ...]:
    return finding.severity.rank, finding.file or "", finding.line or 0, finding.rule


def _bounded(findings: list[Finding], rules: RuleSet) -> tuple[Finding, ...]:
    """At most MAX_FINDINGS; that some are left out is a finding itself."""
    left_out = len(findings) - MAX_FINDINGS
    if left_out <= 0:
        return tuple(findings)
    rule = rules.rules["unread"]
    why = f"{left_out} more findings, the least serious ones, are not listed"
    return (_finding(rule, unread_subject(_WHOLE, why, "new", None), (why,)), *findings[:MAX_FINDINGS])


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
        subjects.add([unread_subject(_WHOLE, why, "new", None)])


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
        yield unread_subject(_WHOLE, "there are more files than are looked at", "new", None)


# Findings


def apply_rule(rule: Rule, subjects: Subjects) -> Iterator[Finding]:
    """The findings of one rule."""
    found = [subject for subject in subjects.candidates(rule) if rule.finds(subject)]
    if rule.object and rule.side == "old":
        found = [subject for subject in found if subject.path[: rule.object] in subjects.new_objects]
        yield from _limit_in_files(rule, list(_group(rule, found)))
    elif rule.object:
        yield from _new_objects(rule, found, subjects.old_objects)
    elif rule.count:
        if len(found) > rule.count:
            yield _finding(rule, found[0], tuple(sorted(subject.text for subject in found)))
    else:
        yield from _limit_in_files(rule, list(_group(rule, found)))


def _group(rule: Rule, found: Iterable[Subject]) -> Iterator[Finding]:
    """One finding for each subject; the values that one option gets in one place are one."""
    groups: dict[object, list[Subject]] = defaultdict(list)
    for subject in found:
        key = (subject.file, subject.line, subject.path) if subject.kind == "option" else (len(groups),)
        groups[key].append(subject)
    for group in groups.values():
        yield _finding(rule, group[0], tuple(sorted({subject.text for subject in group})))


def _new_objects(rule: Rule, found: Iterable[Subject], old_objects: frozenset[Names]) -> Iterator[Finding]:
    new: dict[Names, Subject] = {}
    for subject in found:
        name = subject.path[: rule.object]
        if len(name) == rule.object and name not in old_objects:
            new.setdefault(name, replace(subject, node=dotted(name), text=""))
    for subject in new.values():
        yield _finding(rule, subject, ())


def _limit_in_files(rule: Rule, findings: list[Finding]) -> Iterator[Finding]:
    """At most MAX_IN_FILE in one file, and one more that stands for the rest."""
    by_file: Mapping[str | None, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_file[finding.file].append(finding)
    for file, found in by_file.items():
        yield from found[:MAX_IN_FILE]
        if rest := found[MAX_IN_FILE:]:
            evidence = (rule.id, file, *(finding.id for finding in rest))
            text = f"and {len(rest)} more in this file"
            yield rest[0].model_copy(update={"id": finding_id(rule.id, rule.version, evidence), "text": text})


def _finding(rule: Rule, subject: Subject, values: tuple[str, ...]) -> Finding:
    """The evidence is the file, the attribute path or object, and the values; never a line number."""
    file = subject.content if subject.kind == "option" else subject.file
    content = "" if subject.kind == "option" else subject.content
    evidence = (subject.kind, subject.side, file, subject.node, *values, content)
    return Finding(
        id=finding_id(rule.id, rule.version, evidence),
        rule=rule.id,
        severity=rule.severity,
        file=subject.file if subject.file != _WHOLE else None,
        line=subject.line,
        side=subject.side if subject.file is not None and subject.file != _WHOLE else None,
        node=subject.node if subject.kind in ("option", "lock") else None,
        text=SECRET_TEXT if rule.secret else _cut(_describe(subject, values)),
        why=rule.why,
    )


def _describe(subject: Subject, values: tuple[str, ...]) -> str:
    if subject.kind != "option":
        return " ".join(subject.text.split(" ")).strip()
    shown = " ".join(values)
    return f"{subject.node} = {shown}" if shown else subject.node or ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… (+{len(text) - MAX_TEXT})"
