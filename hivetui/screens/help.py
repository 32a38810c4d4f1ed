"""The help screen: every key and what it does, from the table of actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import actions, keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.acts import Tier

from .base import HiveScreen
from .listing import MOVEMENT

_EVERYWHERE = ("list", "search", "everywhere")


class HelpScreen(HiveScreen):
    """The keys of the screen in front, then those of every screen, then all others; `overrides` is the user's keys."""

    TAB = "help"
    BINDINGS = keymap.bindings("list", only=MOVEMENT)
    CSS_PATH = "help.tcss"

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
        """Scroll a line down."""
        self.query_one("#keys").scroll_down(animate=False)

    def action_up(self) -> None:
        """Scroll a line up."""
        self.query_one("#keys").scroll_up(animate=False)

    def action_page_down(self) -> None:
        """Scroll a page down."""
        self.query_one("#keys").scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll a page up."""
        self.query_one("#keys").scroll_page_up(animate=False)

    def action_first(self) -> None:
        """Go to the beginning."""
        self.query_one("#keys").scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the end."""
        self.query_one("#keys").scroll_end(animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the key that opens this screen."""
        return action != "help"


def _all_groups() -> list[str]:
    return list(dict.fromkeys(action.group for action in actions.ACTIONS))


def _section(group: str, own: list[str], overrides: Mapping[str, str]) -> Content:
    title = f"{group} (this screen)" if group in own else group
    rows = [_row(action, overrides) for action in actions.ACTIONS if action.group == group]
    return Content.assemble((title, "$primary bold"), "\n", Content("\n").join(rows), "\n")


def _row(action: actions.Action, overrides: Mapping[str, str]) -> Content:
    all_keys = keymap.display_keys(action, overrides)
    tier = "" if action.tier is Tier.IMMEDIATE else f" ({action.tier.value})"
    return Content.assemble(
        (f"  {all_keys:<12}", "bold"), f" {action.label:<16} ", (action.tooltip + tier, "$foreground 80%")
    )
