"""Where the modules of a proposal set an option: file and line. Nothing is evaluated for it."""

from __future__ import annotations

from collections.abc import Iterable

from hivetui.engine.model.findings import Side
from hivetui.engine.review.findings.budget import Budget, TooMuch
from hivetui.engine.review.findings.nix_options import read_options
from hivetui.engine.review.findings.nix_places import Setting
from hivetui.engine.review.findings.nix_values import COMPUTED
from hivetui.engine.review.findings.option_changes import place_of
from hivetui.engine.review.findings.sources import Sources
from hivetui.engine.review.findings.tree import Change, Tree

_MAX_COMPUTED = 200
"""Paths with computed names that are compared with each option."""
Settings = dict[tuple[str, ...], list[Setting]]


class Places:
    """Looks options up in the settings of both sides; a setting on a changed line counts first."""

    def __init__(self, change: Change) -> None:
        self._change = change
        sources, budget = Sources(Budget()), Budget()
        self._settings = {
            "new": _read(change.new, sources, budget, change.changed),
            "old": _read(change.old, sources, budget, ()),
        }
        self._computed = {side: _computed(settings) for side, settings in self._settings.items()}

    def find(self, option: tuple[str, ...], side: Side) -> tuple[str, int] | None:
        """The place of an option: of itself, of the set that it is in, or of what is set below it.

        A name that the source computes may be any name.
        """
        settings = self._settings[side]
        for length in range(len(option), 1, -1):
            if found := settings.get(option[:length]) or self._find_computed(option[:length], side):
                return self._place(found, side)
        below = [one for path, group in settings.items() if path[: len(option)] == option for one in group]
        found = below or settings.get(option[:1]) or []
        return self._place(found, side) if found else None

    def _find_computed(self, option: tuple[str, ...], side: Side) -> list[Setting]:
        """The settings whose path has computed names, and is that of the option otherwise."""
        return [
            one
            for path, group in self._computed[side]
            if len(path) == len(option) and all(map(_may_be, path, option))
            for one in group
        ]

    def _place(self, settings: list[Setting], side: Side) -> tuple[str, int]:
        if side == "old":
            return settings[0].spots[0]
        places = [place_of(self._change, setting) for setting in settings]
        return next((spot for spot, is_changed in places if is_changed), places[0][0])


def _computed(settings: Settings) -> list[tuple[tuple[str, ...], list[Setting]]]:
    return [(path, group) for path, group in settings.items() if COMPUTED in path][:_MAX_COMPUTED]


def _may_be(written: str, name: str) -> bool:
    return written in (COMPUTED, name)


def _read(tree: Tree, sources: Sources, budget: Budget, also: Iterable[str]) -> Settings:
    found: Settings = {}
    try:
        settings = read_options(tree, sources, budget, also).settings
    except (TooMuch, RecursionError):  # the options are known all the same, only their places are not
        return {}
    for setting in settings:
        found.setdefault(setting.path, []).append(setting)
    return found
