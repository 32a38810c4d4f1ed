"""The command palette's rows: every action that is legal on the screen now, from the one table of actions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider

from .. import keys, themes

_THEME_HELP = "The colours of the console until its end; [console] theme in the settings keeps them"


class ActionsProvider(Provider):
    """Actions by label and tooltip; the key is told, so that one learns it."""

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for one in self._legal():
            yield DiscoveryHit(self._title(one), partial(self._run, one), help=one.binding.tooltip)
        for name in themes.NAMES:
            yield DiscoveryHit(f"theme {name}", partial(self._wear, name), help=_THEME_HELP)

    async def search(self, query: str) -> Hits:
        """Those that match."""
        matcher = self.matcher(query)
        for one in self._legal():
            score = matcher.match(self._title(one)) or matcher.match(one.binding.tooltip) / 2  # its name counts more
            if score > 0:
                yield Hit(score, self._title(one), partial(self._run, one), help=one.binding.tooltip)
        for name in themes.NAMES:
            if (score := matcher.match(f"theme {name}")) > 0:
                yield Hit(score, f"theme {name}", partial(self._wear, name), help=_THEME_HELP)

    def _legal(self) -> Iterator[ActiveBinding]:
        known = {one.id for one in keys.ACTIONS}
        seen: set[str] = set()
        for one in self.screen.active_bindings.values():
            name = one.binding.id
            if one.enabled and name in known and name not in seen:
                seen.add(name)
                yield one

    def _title(self, one: ActiveBinding) -> str:
        return f"{one.binding.description}  ({keys.shown(one.binding.key)})"

    def _wear(self, name: str) -> None:
        self.app.theme = name

    async def _run(self, one: ActiveBinding) -> None:
        await self.app.run_action(one.binding.action, default_namespace=one.node)
