"""A screen around one LogView: its search, and the keys that scroll, wrap and copy its lines."""

from __future__ import annotations

from hivetui.screens.listing import SearchScreen
from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.log.log_view import LogView


class LogViewScreen(SearchScreen):
    """Subclasses give the view."""

    @property
    def log_view(self) -> LogView:
        """The view of the lines."""
        raise NotImplementedError

    @property
    def view(self) -> LineView:
        """Keys move in the lines."""
        return self.log_view

    @property
    def searchable(self) -> LogView:
        """Searches go through the lines."""
        return self.log_view

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.log_view.action_toggle_wrap()

    def action_left(self) -> None:
        """Scroll left."""
        self.log_view.action_left()

    def action_right(self) -> None:
        """Scroll right."""
        self.log_view.action_right()

    def action_copy(self) -> None:
        """Copy the selected or visible lines."""
        self.log_view.action_copy()
