"""The actions that move in the one view of a screen or dialog."""

from __future__ import annotations

from hivetui.widgets.lines.line_view import LineView


class ViewActions:
    """Mixed into a screen or dialog, whose keys name these actions."""

    @property
    def view(self) -> LineView:
        """The view that the keys move in."""
        raise NotImplementedError

    def action_down(self) -> None:
        """Move a line down."""
        self.view.action_line_down()

    def action_up(self) -> None:
        """Move a line up."""
        self.view.action_line_up()

    def action_page_down(self) -> None:
        """Move a page down."""
        self.view.action_page_down()

    def action_page_up(self) -> None:
        """Move a page up."""
        self.view.action_page_up()

    def action_first(self) -> None:
        """Go to the beginning."""
        self.view.action_first()

    def action_last(self) -> None:
        """Go to the end."""
        self.view.action_last()
