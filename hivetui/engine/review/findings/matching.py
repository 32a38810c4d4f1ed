"""Matches rules with subjects, and makes findings of what they match. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hivetui.engine.model.findings import Finding
from hivetui.engine.review.findings.nix_scope import Names
from hivetui.engine.review.findings.option_changes import dotted
from hivetui.engine.review.findings.path_changes import WHOLE
from hivetui.engine.review.findings.rule import BEGINNING, Rule
from hivetui.engine.review.findings.subject import Kind, Subject, finding_id

MAX_TEXT = 400
"""Characters of the text of a finding."""
MAX_IN_FILE = 20
"""Findings of one rule in one file; what is more is told in one finding."""
SECRET_TEXT = "(a secret, not repeated here)"  # noqa: S105


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


def apply_rule(rule: Rule, subjects: Subjects) -> Iterator[Finding]:
    """The findings of one rule."""
    found = list(matches(rule, subjects))
    if rule.object and rule.side == "new":
        yield from new_objects(rule, found, subjects.old_objects)
    elif rule.count:
        if len(found) > rule.count:
            yield make_finding(rule, found[0], tuple(sorted(subject.text for subject in found)))
    else:
        yield from limit_in_files(rule, list(_group(rule, found)))


def matches(rule: Rule, subjects: Subjects) -> Iterator[Subject]:
    """The subjects that a rule finds; of a removed part of an object, only where the object is there still."""
    for subject in subjects.candidates(rule):
        if rule.finds(subject) and not (rule.object and rule.side == "old" and _is_gone(rule, subject, subjects)):
            yield subject


def _is_gone(rule: Rule, subject: Subject, subjects: Subjects) -> bool:
    return subject.path[: rule.object] not in subjects.new_objects


def _group(rule: Rule, found: Iterable[Subject]) -> Iterator[Finding]:
    """One finding for each subject; the values that one option gets in one place are one."""
    groups: dict[object, list[Subject]] = defaultdict(list)
    for subject in found:
        key = (subject.file, subject.line, subject.path) if subject.kind == "option" else (len(groups),)
        groups[key].append(subject)
    for group in groups.values():
        yield make_finding(rule, group[0], tuple(sorted({subject.text for subject in group})))


def new_objects(rule: Rule, found: Iterable[Subject], old_objects: frozenset[Names]) -> Iterator[Finding]:
    """A finding for each object that is not among the old ones."""
    new: dict[Names, Subject] = {}
    for subject in found:
        name = subject.path[: rule.object]
        if len(name) == rule.object and name not in old_objects:
            new.setdefault(name, replace(subject, node=dotted(name), text="", evaluated=None))
    for subject in new.values():
        yield make_finding(rule, subject, ())


def limit_in_files(rule: Rule, findings: list[Finding]) -> Iterator[Finding]:
    """At most MAX_IN_FILE in one file, and one more that stands for the rest."""
    by_file: Mapping[str | None, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_file[finding.file].append(finding)
    for file, found in by_file.items():
        yield from found[:MAX_IN_FILE]
        if rest := found[MAX_IN_FILE:]:
            evidence = (rule.id, file, *(finding.id for finding in rest))
            text = f"and {len(rest)} more in this file" if file is not None else f"and {len(rest)} more"
            yield rest[0].model_copy(update={"id": finding_id(rule.id, rule.version, evidence), "text": text})


def make_finding(rule: Rule, subject: Subject, values: tuple[str, ...]) -> Finding:
    """The finding of a rule in a subject.

    The evidence is the file, the attribute path or object, and the values; never a line number.
    """
    file = subject.content if subject.kind == "option" else subject.file
    content = "" if subject.kind == "option" else subject.content
    evidence = (subject.kind, subject.side, file, subject.node, *values, content)
    return Finding(
        id=finding_id(rule.id, rule.version, evidence),
        rule=rule.id,
        severity=rule.severity,
        file=subject.file if subject.file != WHOLE else None,
        line=subject.line,
        side=subject.side if subject.file is not None and subject.file != WHOLE else None,
        node=subject.node if subject.kind in ("option", "lock") else None,
        text=SECRET_TEXT if rule.secret else cut(*_describe(subject, values)),
        why=rule.why,
    )


def _describe(subject: Subject, values: tuple[str, ...]) -> tuple[str, ...]:
    """What a finding says of its subject, in pieces."""
    if subject.kind != "option":
        return (" ".join(subject.text.split(" ")).strip(),)
    if subject.evaluated is not None:
        return describe_change(subject)
    shown = " ".join(values)
    return (f"{subject.node} = {shown}" if shown else subject.node or "",)


def describe_change(subject: Subject) -> tuple[str, ...]:
    """What an effect says of an option, in pieces, since the values may be long: "a.b: 1 → 2"."""
    option = subject.evaluated
    assert option is not None
    if option.sha256 is not None:
        return (f"{subject.node} (its value is not shown)",)
    old, new = (value if value is not None else "not defined" for value in (option.old, option.new))
    return f"{subject.node}: ", old, " → ", new


def cut(*pieces: str) -> str:
    """At most MAX_TEXT characters of a text in pieces, and how many more there are."""
    size = sum(map(len, pieces))
    text = ""
    for piece in pieces:
        text += piece[: MAX_TEXT - len(text)]
    return text if size <= MAX_TEXT else f"{text}… (+{size - MAX_TEXT})"
