"""Runs the fixtures of rules: what each must find, and a near miss that it must not.

A rule that does not find its own example is dead.
"""

from __future__ import annotations

from collections.abc import Iterator

from hivetui.engine.review.findings.budget import Budget
from hivetui.engine.review.findings.evaluate import Subjects, apply_rule, read_subjects
from hivetui.engine.review.findings.nix_options import FLAKE
from hivetui.engine.review.findings.rule import Rule
from hivetui.engine.review.findings.rule_set import RuleSet
from hivetui.engine.review.findings.subject import Subject
from hivetui.engine.review.findings.tree import Blob, Change, Tree


def dead_rules(rules: RuleSet) -> Iterator[tuple[str, str]]:
    """The rules whose fixtures do not do what they should, each with what is wrong."""
    for rule in rules.rules.values():
        if rule.fires is not None and not _fires(rule, rule.fires):
            yield rule.id, "it does not find its own example"
        if rule.silent is not None and _fires(rule, rule.silent):
            yield rule.id, "it finds its near miss"


def _fires(rule: Rule, fixture: str) -> bool:
    return any(True for _ in apply_rule(rule, _subjects(rule, fixture)))


def _subjects(rule: Rule, fixture: str) -> Subjects:
    """What a fixture adds: a module (flake.nix for a rule of that file) or, for other rules, the text of a subject."""
    if rule.match != "option":
        subjects = Subjects()
        file = rule.match if rule.match in ("text", "path", "lock") else None
        subjects.add([Subject(rule.match, fixture, rule.side, file, 1, size=rule.bytes)])
        return subjects
    path = FLAKE if rule.path else "agent.nix"
    blob = Blob(path, "100644", "0" * 40, len(fixture), fixture.encode("utf-8", "surrogateescape"))
    empty, full = Tree(), Tree.of([blob])
    change = Change(empty, full) if rule.side == "new" else Change(full, empty)
    subjects = read_subjects(change, Budget())
    if rule.side == "old":  # what the setting is about is there still
        subjects.new_objects = subjects.old_objects
    return subjects
