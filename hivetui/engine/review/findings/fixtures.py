"""Runs the fixtures of rules: what each must find, and a near miss that it must not.

A rule that does not find its own example is dead.
"""

from __future__ import annotations

from collections.abc import Iterator

from hivetui.engine.model.effect import Effect, EffectState, OptionChange, PackageChange, PackageChanges, UnitChanges
from hivetui.engine.review.findings.budget import Budget
from hivetui.engine.review.findings.effect_findings import apply_to_effect
from hivetui.engine.review.findings.effect_options import Evaluated
from hivetui.engine.review.findings.evaluate import read_subjects
from hivetui.engine.review.findings.matching import Subjects, apply_rule
from hivetui.engine.review.findings.nix_options import FLAKE
from hivetui.engine.review.findings.rule import EFFECT_LINE, Rule
from hivetui.engine.review.findings.rule_set import RuleSet
from hivetui.engine.review.findings.subject import Subject
from hivetui.engine.review.findings.tree import Blob, Change, Tree

_ABSENT = "-"
"""A value that is not defined."""


def dead_rules(rules: RuleSet) -> Iterator[tuple[str, str]]:
    """The rules whose fixtures do not do what they should, each with what is wrong."""
    for rule in rules.rules.values():
        if rule.fires is not None and not _fires(rule, rule.fires):
            yield rule.id, "it does not find its own example"
        if rule.silent is not None and _fires(rule, rule.silent):
            yield rule.id, "it finds its near miss"
        if rule.fires_effect is not None and not _fires_in_effect(rule, rule.fires_effect):
            yield rule.id, "it does not find its own example of an effect"
        if rule.silent_effect is not None and _fires_in_effect(rule, rule.silent_effect):
            yield rule.id, "it finds its near miss of an effect"


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


def _fires_in_effect(rule: Rule, fixture: str) -> bool:
    return any(True for _ in apply_to_effect(rule, Evaluated(read_effect(fixture)), Subjects()))


def read_effect(text: str) -> Effect:
    """The effect that a fixture describes, in lines as `EFFECT_LINE` has them."""
    lines = [match for line in text.splitlines() if (match := EFFECT_LINE.fullmatch(line)) is not None]
    return Effect(
        state=EffectState.KNOWN,
        options=tuple(_read_option(*line.group("option", "old", "new")) for line in lines if line["option"]),
        units=UnitChanges(added=tuple(line["unit"] for line in lines if line["unit"])),
        packages=PackageChanges(
            changed=tuple(
                PackageChange(name=line["package"], old=line["before"], new=line["after"])
                for line in lines
                if line["package"]
            )
        ),
    )


def _read_option(option: str, old: str, new: str) -> OptionChange:
    is_removed = new == _ABSENT
    return OptionChange(
        option=option,
        old=None if old == _ABSENT else old,
        new=None if is_removed else new,
        side="old" if is_removed else "new",
    )
