"""What a known effect says, as subjects that rules can match. Pure.

A line of each: `surplus packages jq`, `missing ports 8080`, `other NAME`, `unknown NAMESPACE (new)`, `package + NAME
VERSION`, `unit + NAME`, `etc + NAME`, `option PATH = VALUE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hivetui.engine.model.effect import Effect
from hivetui.engine.review.findings.path_changes import WHOLE, unread_subject
from hivetui.engine.review.findings.subject import Subject

_MAX_SUBJECTS = 20_000
NOT_BUILT = "build"
"""The namespace of what is unknown because the system was not built: that says nothing about the proposal."""
NOT_LISTED = "more options"
"""The namespace of changed options that are left out, because there are too many."""


def effect_subjects(effect: Effect) -> Iterator[Subject]:
    """A subject for each thing that the effect says; what is left out, since there is too much, is one too."""
    for unknown in effect.unknown:
        if unknown.namespace == NOT_LISTED:
            yield left_out_subject(unknown.why)
    for count, (text, file, line) in enumerate(_lines(effect)):
        if count >= _MAX_SUBJECTS:
            yield left_out_subject(f"the effect says more than {_MAX_SUBJECTS} things")
            return
        yield Subject("effect", text, file=file, line=line)


def left_out_subject(why: str) -> Subject:
    """The subject for what an effect does not list."""
    return unread_subject(WHOLE, why, "new", None)


def _lines(effect: Effect) -> Iterator[tuple[str, str | None, int | None]]:
    for text in _texts(effect):
        yield text, None, None
    for option in effect.options:
        value = option.new if option.new is not None else "(not shown)" if option.sha256 else "(not defined)"
        where = (option.file, option.line) if option.side == "new" else (None, None)
        yield f"option {option.option} = {value}", *where


def _texts(effect: Effect) -> Iterator[str]:
    yield from (f"other {name}" for name in effect.others)
    if effect.intent is not None:
        yield from (f"surplus {one}" for one in effect.intent.surplus)
        yield from (f"missing {one}" for one in effect.intent.missing)
    unknown = (one for one in effect.unknown if one.namespace not in (NOT_BUILT, NOT_LISTED))
    yield from (f"unknown {one.namespace} ({one.side})" for one in unknown)
    packages = effect.packages
    yield from (f"package + {one.name} {one.version}" for one in packages.added)
    yield from (f"package - {one.name} {one.version}" for one in packages.removed)
    yield from (f"package ~ {one.name} {one.old} -> {one.new}" for one in packages.changed)
    units = effect.units
    yield from _signed("unit", units.added, units.removed, (one.unit for one in units.changed))
    yield from _signed("etc", effect.etc.added, effect.etc.removed, effect.etc.changed)


def _signed(kind: str, added: Iterable[str], removed: Iterable[str], changed: Iterable[str]) -> Iterator[str]:
    for sign, names in (("+", added), ("-", removed), ("~", changed)):
        yield from (f"{kind} {sign} {name}" for name in names)
