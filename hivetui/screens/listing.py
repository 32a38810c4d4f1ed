"""What every screen with one large view shares: the keys that move in it, and for tables filter and sort."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Protocol

from textual import events
from textual.widget import Widget
from textual.widgets import Input, Static

from hivetui.engine.model.text import safe
from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.table.line_table import Column, LineTable

from ..widgets.pattern import BadPattern
from .base import HiveScreen

MOVEMENT = frozenset({"down", "up", "page_down", "page_up", "first", "last"})
"""The `list.*` actions that make sense in every view."""


class ViewScreen(HiveScreen):
    """A screen whose `list.*` actions go to one view."""

    @property
    def view(self) -> LineView:
        """The view that the keys move in."""
        raise NotImplementedError

    def action_down(self) -> None:
        """A line on."""
        self.view.action_line_down()

    def action_up(self) -> None:
        """A line back."""
        self.view.action_line_up()

    def action_page_down(self) -> None:
        """A page on."""
        self.view.action_page_down()

    def action_page_up(self) -> None:
        """A page back."""
        self.view.action_page_up()

    def action_first(self) -> None:
        """To the beginning."""
        self.view.action_first()

    def action_last(self) -> None:
        """To the end."""
        self.view.action_last()


class PromptLine(Input):
    """The line at the bottom that appears while something is typed into it."""

    DEFAULT_CSS = """
    PromptLine { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    PromptLine.open { display: block; }
    PromptLine:focus { border: none; }
    """

    def ask(self, placeholder: str, value: str = "") -> None:
        """Open it and take the keys."""
        self.placeholder = placeholder
        self.value = value
        self.add_class("open")
        self.screen.set_focus(self)  # at once: the next key may be here already, and is part of the text

    async def _on_key(self, event: events.Key) -> None:
        """Enter and esc end the typing at once: what follows in the same packet is a key, and no part of the text."""
        if self.screen.focused is not self:
            event.stop()
            event.prevent_default()
            self.app.post_message(events.Key(event.key, event.character))
        elif event.key in ("enter", "escape"):
            self.screen.set_focus(None)
            if event.key == "enter":
                event.stop()
                event.prevent_default()
                await self.action_submit()

    def leave(self) -> None:
        """Close it; the text stays."""
        self.remove_class("open")
        self.screen.set_focus(None)


class Searchable(Protocol):
    """A view that can be searched; `search` raises BadPattern."""

    def search(self, text: str) -> None:
        """Go to the first match; "" ends the search."""
        ...

    def action_next_match(self) -> None:
        """On."""
        ...

    def action_previous_match(self) -> None:
        """Back."""
        ...


class SearchScreen(ViewScreen):
    """A screen whose one large view is searched by the line at the bottom."""

    SEARCH_HINT: ClassVar[str] = "search (regular expression): enter finds, n and N go on, esc leaves"

    @property
    def searchable(self) -> Searchable:
        """The view that a search goes through."""
        raise NotImplementedError

    def action_find(self) -> None:
        """Type what to search for."""
        self.query_one(PromptLine).ask(self.SEARCH_HINT)

    def action_next(self) -> None:
        """Next match."""
        self.searchable.action_next_match()

    def action_previous(self) -> None:
        """Previous match."""
        self.searchable.action_previous_match()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """What was typed is taken."""
        self.query_one(PromptLine).leave()
        self.accept_text(message.value)

    def accept_text(self, text: str) -> None:
        """What is done with the text of the line: a search, unless a screen asks for other things by it too."""
        self.try_pattern(lambda: self.searchable.search(text))

    def try_pattern(self, what: Callable[[], None]) -> bool:
        """Do it with a pattern that a person typed; whether it was one."""
        try:
            what()
        except BadPattern as error:
            self.notify(safe(str(error)), title="That is no regular expression", severity="error", markup=False)
            return False
        return True

    def close_prompt(self) -> bool:
        """Close the line, if it is open; whether it was."""
        line = self.query_one(PromptLine)
        was_open = line.has_class("open")
        if was_open:
            line.leave()
        return was_open


class ListScreen(ViewScreen):
    """A table with filter and sort; subclasses give columns and rows."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    EMPTY: ClassVar[str] = ""
    FOLD_TITLE: ClassVar[str] = "more"
    DEFAULT_CSS = """
    ListScreen .notice { height: auto; max-height: 4; padding: 0 1; color: $warning; display: none; }
    ListScreen .notice.some { display: block; }
    """

    def body(self) -> Iterable[Widget]:
        """What is to be said at the top, the table, and the filter's line."""
        yield Static("", classes="notice", markup=False)
        yield LineTable(self.COLUMNS, fold_title=self.FOLD_TITLE, empty=self.EMPTY, classes="body")
        yield PromptLine()

    @property
    def table(self) -> LineTable:
        """The table."""
        return self.query_one(LineTable)

    @property
    def view(self) -> LineView:
        """The table is what keys move in."""
        return self.table

    def empty(self) -> str:
        """Why there is no row, when there is none."""
        return self.EMPTY

    def notices(self) -> Iterable[str]:
        """What is to be said above the table, a line each; not yet safe."""
        return ()

    def _show_all(self) -> None:
        super()._show_all()
        if self.is_ready:
            self.show_notices()

    def show_notices(self) -> None:
        """Paint what is above the table, and why it is empty."""
        problem = self.state.problem
        rows = [f"▲ The hive does not answer: {problem}. This may be old."] if problem else []
        rows += self.notices()
        text = "\n".join(safe(row) for row in rows)
        line = self.query_one(".notice", Static)
        if text != str(line.content):
            line.update(text)
            line.set_class(bool(text), "some")
        self._say_empty()

    def _say_empty(self) -> None:
        typed = self.query_one(PromptLine).value
        if typed and self.table.rows_given:
            text = f"No row of {self.table.rows_given} has {typed!r} in it. esc shows all."
        elif not self.state.loaded:
            text = self.state.problem or "Asking the hive …"
        else:
            text = self.empty()
        if text != self.table.empty:
            self.table.empty = text
            self.table.repaint()

    def action_open(self) -> None:
        """Choose the row under the cursor."""
        self.table.action_choose()

    def action_filter(self) -> None:
        """Type a filter."""
        line = self.query_one(PromptLine)
        line.ask("filter: enter keeps it, esc clears it", line.value)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filter as it is typed."""
        self.table.filter(message.value)
        self._say_empty()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter keeps the filter, and keeps it in sight."""
        line = self.query_one(PromptLine)
        if line.value:
            self.set_focus(None)
        else:
            line.leave()

    async def action_back(self) -> None:
        """First out of the filter, then back."""
        line = self.query_one(PromptLine)
        if line.has_class("open") or line.value:
            line.value = ""
            line.leave()
        else:
            await self.app.run_action("app.back")

    def action_sort(self) -> None:
        """The next column that is shown sorts, after the last none."""
        ids: list[str | None] = [None, *self.table.shown_columns]
        current = self.table.sorted_by
        place = ids.index(current[0]) if current and current[0] in ids else 0
        self.table.sort(ids[(place + 1) % len(ids)])

    def action_reverse(self) -> None:
        """The other way round."""
        if (current := self.table.sorted_by) is not None:
            self.table.sort(current[0], not current[1])
