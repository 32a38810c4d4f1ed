"""Which options a change sets anew, and which it no longer sets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hivetui.engine.model.findings import Side
from hivetui.engine.review.findings.budget import Budget, TooMuch
from hivetui.engine.review.findings.changed_lines import added_lines
from hivetui.engine.review.findings.nix_mentions import read_mentions
from hivetui.engine.review.findings.nix_options import read_options
from hivetui.engine.review.findings.nix_places import Options, Setting
from hivetui.engine.review.findings.nix_scope import Names, Spot
from hivetui.engine.review.findings.sources import Sources
from hivetui.engine.review.findings.subject import Subject
from hivetui.engine.review.findings.tree import Change, Tree

Key = tuple[Names, str, tuple[str, ...]]


@dataclass
class OptionChanges:
    """The subjects; the beginnings of every path that either side sets; and, by side and file, what was not read."""

    subjects: list[Subject] = field(default_factory=list)
    old_objects: frozenset[Names] = frozenset()
    new_objects: frozenset[Names] = frozenset()
    unread: dict[tuple[Side, str], str] = field(default_factory=dict)


def compare_options(change: Change, sources: Sources, budget: Budget) -> OptionChanges:
    """Compare what both sides set, wherever in the tree it stands."""
    new = read_options(change.new, sources, budget, change.changed)
    moved = (change.moved.get(path, path) for path in change.changed if path not in new.reached)
    old = read_options(change.old, sources, budget, (path for path in moved if path in change.old.files))
    found = OptionChanges(old_objects=_beginnings(old.settings), new_objects=_beginnings(new.settings))
    sides: tuple[tuple[Side, Tree, Options], ...] = (("old", change.old, old), ("new", change.new, new))
    for side, tree, options in sides:
        found.unread |= {(side, path): why for path, why in options.unread.items()}
        _add_mentions(tree, options, sources, budget, found, side)
    added = list(_surplus(new.settings, old.settings, lambda setting: _is_changed(change, setting)))
    removed = _surplus(old.settings, new.settings, lambda setting: True)
    still_set = {setting.path for setting in new.settings}
    found.subjects += [_subject(setting, place_of(change, setting)[0], "new") for setting in added]
    found.subjects += [_subject(one, one.spots[0], "old") for one in removed if one.path not in still_set]
    return found


def _add_mentions(
    tree: Tree, options: Options, sources: Sources, budget: Budget, found: OptionChanges, side: Side
) -> None:
    for path in sorted(options.files):
        if not path.endswith(".nix"):
            continue
        source = sources.parse(tree.files[path])
        try:
            options.settings += read_mentions(source, budget) if source is not None else ()
        except TooMuch as limit:
            found.unread[side, path] = str(limit)
            return


def _key(setting: Setting) -> Key:
    return setting.path, setting.value, setting.context


def _surplus(settings: list[Setting], others: list[Setting], is_likely: Callable[[Setting], bool]) -> Iterator[Setting]:
    """The settings that are not among the others, or not as often; of equal ones those that stand on changed lines."""
    left = Counter(map(_key, others))
    by_key: dict[Key, list[Setting]] = defaultdict(list)
    for setting in settings:
        by_key[_key(setting)].append(setting)
    for key, equal in by_key.items():
        count = len(equal) - left[key]
        if count > 0:
            yield from sorted(equal, key=lambda one: not is_likely(one))[:count]


def _beginnings(settings: Iterable[Setting]) -> frozenset[Names]:
    return frozenset(setting.path[:length] for setting in settings for length in (1, 2, 3, 4))


def _is_changed(change: Change, setting: Setting) -> bool:
    return any(_is_changed_spot(change, spot) for spot in setting.spots)


def _is_changed_spot(change: Change, spot: Spot) -> bool:
    path, line = spot
    new = change.new.files[path]
    old = change.old_of(path)
    return (old is None or old.oid != new.oid) and line in added_lines(old, new)


def place_of(change: Change, setting: Setting) -> tuple[Spot, bool]:
    """Where to show it: the option if its line has changed, else what has changed of its value or conditions.

    And whether the line has changed.
    """
    changed = next((spot for spot in setting.spots if _is_changed_spot(change, spot)), None)
    return (changed, True) if changed is not None else (setting.spots[0], False)


def _subject(setting: Setting, spot: Spot, side: Side) -> Subject:
    return Subject(
        kind="option",
        text=setting.value,
        side=side,
        file=spot[0],
        line=spot[1],
        node=dotted(setting.path),
        path=setting.path,
        known=setting.known,
        content=setting.spots[0][0],
    )


def dotted(path: Names) -> str:
    """An attribute path as Nix writes it; a name that is no identifier is quoted."""
    return ".".join(name if name.replace("-", "").replace("_", "").isalnum() else f'"{name}"' for name in path)
