"""The hives of this console: how each is connected, what it needs, and the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from hivetui.client.host_keys import UnknownHostKey
from hivetui.console import keymap
from hivetui.console.hives import Condition, HiveLink, HivesChanged
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.text import safe, safe_block
from hivetui.screens.base import OpenRequested
from hivetui.screens.detail_list import DetailListScreen
from hivetui.screens.dialogs.text import TextDialog
from hivetui.screens.hives.requests import HiveRequested
from hivetui.screens.hives.rows import COLUMNS, build_row, describe
from hivetui.widgets.table.line_table import LineTable

_ERROR_SECONDS = 12


class HostKeyDialog(TextDialog):
    """Asks whether a host key is the right one; returns "yes", or None."""

    def __init__(self, unknown: UnknownHostKey) -> None:
        details = (unknown.why, f"Compare the fingerprint. With yes it is recorded in {unknown.file}.")
        super().__init__(f"{unknown.what}. Is this it?", details, "type yes", allow_paste=False)

    def problem(self, text: str) -> str | None:
        """Accept only yes."""
        return None if text.strip() == "yes" else "Type yes, or cancel."


class HivesScreen(DetailListScreen):
    """The list of hives. Enter on one connects, if it is not open, and has it in front."""

    TAB = "hives"
    IS_ABOUT_ALL = True
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("hives", "all", "list")
    COLUMNS = COLUMNS

    def __init__(self, hive: Hive, state: HiveState) -> None:
        super().__init__(hive, state)
        self._awaited: HiveLink | None = None
        """The one that the operator waits for, to have it in front."""

    def on_mount(self) -> None:
        """Begin at the hive in front, the first time."""
        if self.hives is not None:
            self.cursors.setdefault(self.TAB, self.hives.front.name)

    def show(self, state: HiveState) -> None:
        """One row for each hive."""
        if self.hives is None:
            return
        now = self.clock()
        self.table.set_rows([build_row(link, link is self.hives.front, now) for link in self.hives.links])
        self.show_detail()

    def show_time(self) -> None:
        """Go on with the ages."""
        self.show(self.state)

    def problems(self) -> Iterable[str]:
        """None: each row has its own."""
        return ()

    def detail(self) -> Content:
        """Which hive this is, or why it is away and what to do."""
        return Content("") if self.current_link is None else describe(self.current_link, self.clock())

    @property
    def current_link(self) -> HiveLink | None:
        """The hive under the cursor."""
        links = () if self.hives is None else self.hives.links
        return next((link for link in links if link.name == self.table.current), None)

    def on_hives_changed(self, message: HivesChanged) -> None:
        """Show what changed, and go to the hive that is awaited."""
        self._show_all()
        self.refresh_bindings()
        link = self._awaited
        if link is None or link.condition is Condition.CONNECTING:
            return
        self._awaited = None
        if link.condition is not Condition.CONNECTED:
            self._explain(link)
        elif self.is_current:
            self.post_message(HiveRequested(link.name))
        else:
            self.notify(safe(f"{link.name} is connected."), markup=False)

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: have it in front, once it is connected; an unknown host key is asked about."""
        link = self.current_link
        if link is None:
            return
        if link.session is not None:
            self.post_message(HiveRequested(link.name))
        elif isinstance(link.error, UnknownHostKey):
            self._ask_about_key(link, link.error)
        else:
            self._awaited = link
            link.open()

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Who moves on does not wait to be taken to another hive."""
        if message.key is not None and self._awaited is not None and message.key != self._awaited.name:
            self._awaited = None

    def unavailable_reason(self, action: str) -> str | None:
        """The hive in front cannot be disconnected."""
        if action == "connect" and self.hives is not None and self.current_link is self.hives.front:
            return f"{self.hives.front.name} is in front. Go to another hive first."
        return None

    def action_connect(self) -> None:
        """Connect, or disconnect; a hive that is away is not tried again then."""
        link = self.current_link
        if link is None:
            return
        if link.is_active:
            link.close()
        else:
            link.open()

    def action_show_agents(self) -> None:
        """Open the agents of all hives."""
        self.post_message(OpenRequested(self.hive, "all-agents"))

    def action_show_proposals(self) -> None:
        """Open the pending proposals of all hives."""
        self.post_message(OpenRequested(self.hive, "all-proposals"))

    def _explain(self, link: HiveLink) -> None:
        """Why an awaited hive cannot be in front; an unknown host key is asked about."""
        if isinstance(link.error, UnknownHostKey) and self.is_current:
            self._ask_about_key(link, link.error)
        elif (error := link.error) is not None:
            text = safe_block(f"{error.why}\n{error.fix}")
            self.notify(text, title=safe(error.what), severity="error", timeout=_ERROR_SECONDS, markup=False)

    def _ask_about_key(self, link: HiveLink, unknown: UnknownHostKey) -> None:
        def on_answer(answer: str | None) -> None:
            if answer is not None:
                self.run_engine_work(asyncio.to_thread(unknown.learn), lambda learned: self._connect_again(link))

        self.app.push_screen(HostKeyDialog(unknown), on_answer)

    def _connect_again(self, link: HiveLink) -> None:
        link.error = None
        self._awaited = link
        link.open()
