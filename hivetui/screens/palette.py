"""The rows of the command palette: every action available on the screen in front, and every theme."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape
from textual.types import IgnoreReturnCallbackType

from hivetui.console import actions, keymap, themes

_THEME_HELP = "Colours until the console closes; set [console] theme to keep them"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: name and key, tooltip, and what to call when it is chosen."""

    title: str
    tooltip: str
    run: IgnoreReturnCallbackType


class ActionsProvider(Provider):
    """Finds actions by label and tooltip, and shows their keys."""

    async def discover(self) -> Hits:
        """Every row, while nothing is typed."""
        for row in self._rows():
            yield DiscoveryHit(escape(row.title), row.run, text=row.title, help=escape(row.tooltip))

    async def search(self, query: str) -> Hits:
        """The rows that match; a match in the name scores twice one in the tooltip."""
        matcher = self.matcher(query)
        for row in self._rows():
            score = matcher.match(row.title) or matcher.match(row.tooltip) / 2
            if score > 0:
                yield Hit(score, escape(row.title), row.run, text=row.title, help=escape(row.tooltip))

    def _rows(self) -> Iterator[Row]:
        known = {action.id for action in actions.ACTIONS}
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            name = active.binding.id
            if active.enabled and name in known and name not in seen:
                seen.add(name)
                title = f"{active.binding.description}  ({keymap.display_key(active.binding.key)})"
                run = partial(self.app.run_action, active.binding.action, default_namespace=active.node)
                yield Row(title, active.binding.tooltip, run)
        for name in themes.NAMES:
            yield Row(f"theme {name}", _THEME_HELP, partial(self._set_theme, name))

    def _set_theme(self, name: str) -> None:
        self.app.theme = name
