"""Every key of a screen and what it does, made from the one table of actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive

from .base import HiveScreen
from .listing import MOVEMENT

_EVERYWHERE = ("list", "search", "everywhere")


class HelpScreen(HiveScreen):
    """The keys of the screen it was asked from, then those that work everywhere, then all the others."""

    TAB = "help"
    GROUPS = ("list",)
    BINDINGS = keymap.bindings("list", only=MOVEMENT)
    CSS = "HelpScreen #keys { padding: 0 1; } HelpScreen #keys Static { width: 100%; height: auto; }"

    def __init__(
        self, hive: Hive, state: HiveState, groups: tuple[str, ...] = (), overrides: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(hive, state)
        self._groups, self._keymap = groups, overrides or {}

    def body(self) -> Iterable[Widget]:
        """One text that scrolls."""
        own = [group for group in self._groups if group not in _EVERYWHERE]
        others = [group for group in _all_groups() if group not in (*own, *_EVERYWHERE)]
        sections = [*own, *_EVERYWHERE, *others]
        text = Content("\n").join([_section(group, own, self._keymap) for group in sections])
        yield VerticalScroll(Static(text, markup=False), id="keys", classes="body")

    def action_down(self) -> None:
        """A line on."""
        self.query_one("#keys").scroll_down(animate=False)

    def action_up(self) -> None:
        """A line back."""
        self.query_one("#keys").scroll_up(animate=False)

    def action_page_down(self) -> None:
        """A page on."""
        self.query_one("#keys").scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """A page back."""
        self.query_one("#keys").scroll_page_up(animate=False)

    def action_first(self) -> None:
        """To the top."""
        self.query_one("#keys").scroll_home(animate=False)

    def action_last(self) -> None:
        """To the end."""
        self.query_one("#keys").scroll_end(animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Help is here already."""
        return action != "help"


def _all_groups() -> list[str]:
    return list(dict.fromkeys(one.group for one in keymap.ACTIONS))


def _section(group: str, own: list[str], overrides: Mapping[str, str]) -> Content:
    title = f"{group} (this screen)" if group in own else group
    rows = [_row(one, overrides) for one in keymap.ACTIONS if one.group == group]
    return Content.assemble((title, "$primary bold"), "\n", Content("\n").join(rows), "\n")


def _row(one: keymap.Action, overrides: Mapping[str, str]) -> Content:
    all_keys = keymap.display_keys(one, overrides)
    tier = "" if one.tier is keymap.Tier.AT_ONCE else f" ({one.tier.value})"
    return Content.assemble(
        (f"  {all_keys:<12}", "bold"), f" {one.label:<16} ", (one.tooltip + tier, "$foreground 80%")
    )
