"""What the rules of options find in an effect, besides what they have found in the text. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from hivetui.engine.model.findings import Finding
from hivetui.engine.review.findings.effect_options import NOT_SHOWN, Evaluated
from hivetui.engine.review.findings.matching import (
    Subjects,
    cut,
    describe_change,
    limit_in_files,
    make_finding,
    matches,
    new_objects,
)
from hivetui.engine.review.findings.nix_scope import Names
from hivetui.engine.review.findings.option_changes import dotted
from hivetui.engine.review.findings.rule import Rule
from hivetui.engine.review.findings.subject import Subject

_DIGEST = re.compile(r" \([0-9a-f]{16}\)$")
_RELATIVE = ("./", "../")


def apply_to_effect(rule: Rule, evaluated: Evaluated, written: Subjects) -> Iterator[Finding]:
    """The findings of a rule of options in an effect; none for what it finds in `written`, the text, as well."""
    told = list(matches(rule, written))
    evaluated_objects, written_objects = evaluated.new_objects, written.new_objects
    known = Subjects(new_objects=evaluated_objects | written_objects, options=evaluated.options)
    found = list(matches(rule, known))
    if rule.object and rule.side == "new":
        mentioned = frozenset(subject.path[: rule.object] for subject in told)
        yield from new_objects(rule, found, written.old_objects | evaluated.old_objects | mentioned)
    elif rule.count:
        if len(told) <= rule.count < len(found):
            yield make_finding(rule, found[0], tuple(sorted(subject.text for subject in found)))
    else:
        text = _Told(told)
        news = (subject for subject in found if not text.says(subject))
        yield from limit_in_files(rule, list(_group(rule, evaluated, news)))


class _Told:
    """What the text says of options, by their paths. Each value is split into lines once: a list has many parts."""

    def __init__(self, told: Iterable[Subject]) -> None:
        self._lines: dict[Names, set[str]] = defaultdict(set)
        self._unreadable: set[Names] = set()
        for subject in told:
            self._lines[subject.path] |= _lines(subject.text)
            if not subject.known:
                self._unreadable.add(subject.path)
        self._before: dict[int, set[str]] = {}  # by the id of the option, whose value takes long to hash

    def says(self, subject: Subject) -> bool:
        """Whether the text says the same: that value, or one that nobody can read there, so the effect tells it."""
        lines = self._lines.get(subject.path)
        if lines is None:
            return False
        if subject.text == NOT_SHOWN or subject.path in self._unreadable:
            return True
        before = self._lines_before(subject)
        return all(line in lines or line in before for line in _lines(subject.text))

    def _lines_before(self, subject: Subject) -> set[str]:
        option = subject.evaluated
        assert option is not None
        if id(option) not in self._before:
            self._before[id(option)] = _lines(option.old or "")
        return self._before[id(option)]


def _lines(text: str) -> set[str]:
    """The lines of a string, since modules add lines to one another; of a path the name, since it is relative."""
    text = _DIGEST.sub("", text)
    if text.startswith(_RELATIVE):
        return {text.rpartition("/")[2]}
    return {line.strip() for line in text.strip('"').split("\\n") if line.strip()}


def _group(rule: Rule, evaluated: Evaluated, found: Iterable[Subject]) -> Iterator[Finding]:
    """One finding for each option; those of a new object that a declaration has filled with options are one."""
    groups: dict[object, list[Subject]] = defaultdict(list)
    for subject in found:
        option = subject.evaluated
        is_part = evaluated.are_declared and option is not None and option.old is None and option.new is not None
        groups[subject.path[:-1] if is_part else subject.path, subject.file, subject.line].append(subject)
    for group in groups.values():
        yield _of_group(rule, group)


def _of_group(rule: Rule, group: list[Subject]) -> Finding:
    first = group[0]
    by_path: dict[Names, Subject] = {subject.path: subject for subject in group}
    if len(by_path) == 1:
        return make_finding(rule, first, tuple(sorted({subject.text for subject in group})))
    whole = replace(first, node=dotted(first.path[:-1]), evaluated=None)
    finding = make_finding(rule, whole, tuple(sorted(f"{one.node} = {one.text}" for one in group)))
    if rule.secret:
        return finding
    pieces = [piece for one in by_path.values() for piece in (*describe_change(one), ", ")]
    return finding.model_copy(update={"text": cut(*pieces[:-1])})
