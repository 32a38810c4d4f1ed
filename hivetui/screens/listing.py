"""What every screen with one large view shares: the keys that move in it, and for tables filter and sort."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.widget import Widget
from textual.widgets import Input

from ..widgets.line_view import LineView
from ..widgets.table import Column, LineTable
from .base import HiveScreen

MOVING = frozenset({"down", "up", "page_down", "page_up", "first", "last"})
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


class TypedLine(Input):
    """The line at the bottom that appears while something is typed into it."""

    DEFAULT_CSS = """
    TypedLine { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    TypedLine.open { display: block; }
    TypedLine:focus { border: none; }
    """

    def ask(self, placeholder: str, value: str = "") -> None:
        """Open it and take the keys."""
        self.placeholder = placeholder
        self.value = value
        self.add_class("open")
        self.focus()

    def leave(self) -> None:
        """Close it; the text stays."""
        self.remove_class("open")
        self.screen.set_focus(None)


class ListScreen(ViewScreen):
    """A table with filter and sort; subclasses give columns and rows."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    EMPTY: ClassVar[str] = ""
    FOLD_TITLE: ClassVar[str] = "more"

    def body(self) -> Iterable[Widget]:
        """The table, and the filter's line."""
        yield LineTable(self.COLUMNS, fold_title=self.FOLD_TITLE, empty=self.EMPTY, classes="body")
        yield TypedLine()

    @property
    def table(self) -> LineTable:
        """The table."""
        return self.query_one(LineTable)

    @property
    def view(self) -> LineView:
        """The table is what keys move in."""
        return self.table

    def action_open(self) -> None:
        """Choose the row under the cursor."""
        self.table.action_choose()

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(TypedLine).ask("filter: enter keeps it, esc clears it")

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filter as it is typed."""
        self.table.filter(message.value)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter keeps the filter."""
        self.query_one(TypedLine).leave()

    async def action_back(self) -> None:
        """First out of the filter, then back."""
        line = self.query_one(TypedLine)
        if line.has_class("open") or line.value:
            line.value = ""
            line.leave()
        else:
            await self.app.run_action("app.back")

    def action_sort(self) -> None:
        """The next column sorts, after the last none."""
        ids: list[str | None] = [None, *(column.id for column in self.COLUMNS)]
        current = self.table.sorted_by
        self.table.sort(ids[(ids.index(current[0] if current else None) + 1) % len(ids)])

    def action_reverse(self) -> None:
        """The other way round."""
        if (current := self.table.sorted_by) is not None:
            self.table.sort(current[0], not current[1])
