"""The options that an effect changes, as subjects that the rules of options match. Pure.

A rule that matches what a module writes matches what the evaluation says as well, whatever wrote it: a helper function,
a computed name, a module from elsewhere. Of a list only the new elements count. What the built system has and no option
says (a unit, a changed package, or anything in a namespace that could not be evaluated) is told as the option for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain

from hivetui.engine.model.effect import Effect, OptionChange
from hivetui.engine.review.findings.effect_values import Part, parts_of, split_option
from hivetui.engine.review.findings.matching import Subjects
from hivetui.engine.review.findings.nix_scope import Names
from hivetui.engine.review.findings.option_changes import dotted
from hivetui.engine.review.findings.subject import Subject

NOT_SHOWN = "(not shown)"
"""The value of an option of which the effect has only a hash."""
PACKAGE = "package"
"""`package.NAME` is what rules match for a package of another version under the same lock."""
MAX_SUBJECTS = 20_000
_STORE = re.compile(r"(/nix/store/)[0-9a-z]{32}-")
_OUTPUT = re.compile(r"-(bin|dev|doc|man|info|lib|out|debug|static|getent|terminfo)$")
_UNIT_KINDS = ("service", "timer", "socket", "path", "mount", "automount", "slice", "target", "swap")
_DEFAULTS = ("null", '""', "[ ]", "{ }")
_NEW_UNIT = "{ }"


class Evaluated(Subjects):
    """What an effect says of options; `is_whole` is false when there was more than MAX_SUBJECTS.

    `are_declared` says that the system has declarations of options. Then a new object brings all its options with their
    defaults, and paths in the store change as a consequence of other changes: neither is told.
    """

    def __init__(self, effect: Effect) -> None:
        super().__init__()
        self.are_declared = effect.hidden_options > 0
        self.is_whole = True
        built = built_changes(effect, {split_option(option.option) for option in effect.options})
        old: set[Names] = set()
        new: set[Names] = set()
        subjects = 0
        for option in chain(effect.options, built):
            path = split_option(option.option)
            beginnings = [path[:length] for length in range(1, 5)]
            old.update(beginnings if option.old is not None else ())
            new.update(beginnings if option.new is not None or option.sha256 is not None else ())
            found = list(self._read(option, path))
            subjects += len(found)
            if subjects > MAX_SUBJECTS:
                self.is_whole = False
                break
            self.add(found)
        changed = (unit.unit for unit in effect.units.changed)
        standing = {one for one in map(_unit_path, changed) if one is not None}
        self.old_objects, self.new_objects = frozenset(old | standing), frozenset(new | standing)

    def _read(self, option: OptionChange, path: Names) -> Iterator[Subject]:
        if option.sha256 is not None:
            parts = [Part((), NOT_SHOWN, known=False)]
        elif option.new is None:
            parts = parts_of(option.old or "null")
        elif self._is_consequence(option):
            return
        else:
            before = {part[:2] for part in parts_of(option.old)} if option.old is not None else set()
            parts = [part for part in parts_of(option.new) if part[:2] not in before]
        for part in dict.fromkeys(parts):
            whole = (*path, *part.path)
            yield Subject(
                kind="option",
                text=_without_hashes(part.text),
                side=option.side,
                file=option.file,
                line=option.line,
                node=dotted(whole),
                path=whole,
                known=part.known,
                content=option.file or "",
                evaluated=option,
            )

    def _is_consequence(self, option: OptionChange) -> bool:
        if not self.are_declared or option.new is None:
            return False
        if option.old is None:
            return option.new in _DEFAULTS
        return option.file is None and _without_hashes(option.old) == _without_hashes(option.new)


def _without_hashes(text: str) -> str:
    return _STORE.sub(r"\1…-", text)


# The built system


def built_changes(effect: Effect, told: set[Names]) -> Iterator[OptionChange]:
    """What the built system has that no option in `told` says, as changes of the options for it."""
    yield from _units(effect, told)
    for package in effect.packages.changed if not effect.drift else ():
        if _without_output(package.old) != _without_output(package.new):
            yield OptionChange(option=dotted((PACKAGE, package.name)), old=package.old, new=package.new)
    unknown = {one.namespace.partition(".")[0] for one in effect.unknown if one.side == "new"}
    if "environment" in unknown:
        names = " ".join(json.dumps(f"{one.name}-{one.version}".rstrip("-")) for one in effect.packages.added)
        if names:
            yield OptionChange(option="environment.systemPackages", old=None, new=f"[ {names} ]")
        for name in (*effect.etc.added, *effect.etc.changed):
            yield OptionChange(option=dotted(("environment", "etc", name)), old=None, new="{ }")


def _without_output(version: str) -> str:
    """The version of a package without the name of one of its outputs."""
    return _OUTPUT.sub("", version)


def _units(effect: Effect, told: set[Names]) -> Iterator[OptionChange]:
    objects = {path[:3] for path in told}
    for unit in effect.units.added:
        path = _unit_path(unit)
        if path is not None and path not in objects:
            yield OptionChange(option=dotted(path), old=None, new=_NEW_UNIT)
    for change in effect.units.changed:
        path = _unit_path(change.unit)
        if path is None or path in objects:
            continue
        for field in change.fields:
            old, new = (None if value is None else json.dumps(value) for value in (field.old, field.new))
            option = dotted((*path, *_field_path(field.field)))
            yield OptionChange(option=option, old=old, new=new, side="old" if new is None else "new")


def _unit_path(unit: str) -> Names | None:
    """The option that a unit is made of: `systemd.services.NAME` of NAME.service; None for a kind that has none."""
    name, _, kind = unit.rpartition(".")
    return ("systemd", "swaps" if kind == "swap" else f"{kind}s", name) if name and kind in _UNIT_KINDS else None


def _field_path(field: str) -> Names:
    """The option of a field of a unit: that of its text, `Service.User`, or one that it is made of."""
    section, _, name = field.partition(".")
    return (f"{section.lower()}Config", name) if section[:1].isupper() and name else tuple(field.split("."))
