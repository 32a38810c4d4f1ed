"""The options that a proposal changes, from what compare.nix reports. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hivetui.engine.model.effect import OptionChange, Unknown
from hivetui.engine.model.findings import Side
from hivetui.engine.review.effect import notation
from hivetui.engine.review.findings.effect_changes import NOT_LISTED

Place = Callable[[tuple[str, ...], Side], tuple[str, int] | None]
"""Where a side sets an option: file and line, None if that is not known."""
MAX_OPTIONS = 2000
MAX_VALUE = 4096
"""Bytes of a value that is shown; of a larger one there is a hash."""
_MAX_UNKNOWN = 20
_SENSITIVE = re.compile(
    r"passw(or)?d|secret|token|api_?key|private_?key|credential|passphrase", re.IGNORECASE | re.ASCII
)
_NOT_SENSITIVE = re.compile(r"(File|Path|Command|Name)$")


def compare_options(
    changes: Mapping[str, Any], sources: Mapping[str, str], place: Place
) -> tuple[tuple[OptionChange, ...], tuple[Unknown, ...], int]:
    """The changed options by name, what could not be evaluated, and how many options are not compared."""
    found: list[OptionChange] = []
    failed: Counter[tuple[str, Side]] = Counter()
    for namespace in changes.values():
        for change in namespace["changed"]:
            path = tuple(map(str, change["path"]))
            old = notation.replace_source(change["old"], sources.get("old"))
            new = notation.replace_source(change["new"], sources.get("new"))
            for side, value in _sides(old, new):
                if notation.has_failed(value):
                    failed[notation.dotted(path), side] += 1
            if old != new:
                found.append(_change(path, old, new, place))
    unknown = list(_unknown(failed))
    found.sort(key=_name)
    if len(found) > MAX_OPTIONS:
        why = f"{len(found) - MAX_OPTIONS} more changed options are not listed"
        unknown.append(Unknown(namespace=NOT_LISTED, side="new", why=why))
    hidden = sum(int(namespace["hidden"]) for namespace in changes.values())
    return tuple(_list_fairly(found)), tuple(unknown), hidden


def _list_fairly(options: list[OptionChange]) -> list[OptionChange]:
    """At most MAX_OPTIONS, by name: as many of each namespace, so that a flood in one leaves out none of another."""
    if len(options) <= MAX_OPTIONS:
        return options
    seen: Counter[str] = Counter()
    ranks = []
    for option in options:
        namespace = ".".join(option.option.split(".", 2)[:2])
        seen[namespace] += 1
        ranks.append((seen[namespace], option.option, option))
    return sorted((option for *_, option in sorted(ranks, key=lambda rank: rank[:2])[:MAX_OPTIONS]), key=_name)


def _name(option: OptionChange) -> str:
    return option.option


def _sides(old: Any, new: Any) -> tuple[tuple[Side, Any], tuple[Side, Any]]:
    return ("old", old), ("new", new)


def _change(path: tuple[str, ...], old: Any, new: Any, place: Place) -> OptionChange:
    side: Side = "old" if new is None else "new"
    where = place(path, side)
    texts = {"old": None if old is None else notation.render(old), "new": None if new is None else notation.render(new)}
    size = digest = None
    if _is_sensitive(path) or any(text is not None and _size(text) > MAX_VALUE for text in texts.values()):
        told = (texts[side] or "").encode("utf-8", "surrogateescape")
        size, digest = len(told), hashlib.sha256(told).hexdigest()
        texts = {"old": None, "new": None}
    return OptionChange(
        option=notation.dotted(path),
        old=texts["old"],
        new=texts["new"],
        bytes=size,
        sha256=digest,
        file=where[0] if where else None,
        line=where[1] if where else None,
        side=side,
    )


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _is_sensitive(path: tuple[str, ...]) -> bool:
    return any(_SENSITIVE.search(name) and not _NOT_SENSITIVE.search(name) for name in path)


def _unknown(failed: Mapping[tuple[str, Side], int]) -> Iterator[Unknown]:
    """One for each option that cannot be evaluated or, if there are many, for each namespace with their number."""
    if len(failed) <= _MAX_UNKNOWN:
        for option, side in failed:
            yield Unknown(namespace=option, side=side, why="its value cannot be evaluated")
        return
    yield from _grouped(failed)


def _grouped(failed: Iterable[tuple[str, Side]]) -> Iterator[Unknown]:
    counts = Counter((option.partition(".")[0], side) for option, side in failed)
    for (namespace, side), count in sorted(counts.items()):
        yield Unknown(namespace=namespace, side=side, why=f"{count} of its options cannot be evaluated")
