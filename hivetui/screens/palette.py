"""The command palette's rows: every action that is legal on the screen now, from the one table of actions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape
from textual.types import IgnoreReturnCallbackType

from hivetui.console import keymap, themes

_THEME_HELP = "The colours of the console until its end; [console] theme in the settings keeps them"


@dataclass(frozen=True, slots=True)
class Row:
    """What can be chosen: its name with its key, what it does in words, and what to call for it."""

    title: str
    tooltip: str
    run: IgnoreReturnCallbackType


class ActionsProvider(Provider):
    """Actions by label and tooltip; the key is told, so that one learns it."""

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for row in self._rows():
            yield DiscoveryHit(escape(row.title), row.run, text=row.title, help=escape(row.tooltip))

    async def search(self, query: str) -> Hits:
        """Those that match; a name counts more than what is said of it."""
        matcher = self.matcher(query)
        for row in self._rows():
            score = matcher.match(row.title) or matcher.match(row.tooltip) / 2
            if score > 0:
                yield Hit(score, escape(row.title), row.run, text=row.title, help=escape(row.tooltip))

    def _rows(self) -> Iterator[Row]:
        known = {one.id for one in keymap.ACTIONS}
        seen: set[str] = set()
        for one in self.screen.active_bindings.values():
            name = one.binding.id
            if one.enabled and name in known and name not in seen:
                seen.add(name)
                title = f"{one.binding.description}  ({keymap.display_key(one.binding.key)})"
                run = partial(self.app.run_action, one.binding.action, default_namespace=one.node)
                yield Row(title, one.binding.tooltip, run)
        for name in themes.NAMES:
            yield Row(f"theme {name}", _THEME_HELP, partial(self._wear, name))

    def _wear(self, name: str) -> None:
        self.app.theme = name
