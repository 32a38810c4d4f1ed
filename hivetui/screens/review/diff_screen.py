"""A screen around one diff: its search, its options, and the keys that move in it."""

from __future__ import annotations

from dataclasses import replace

from hivetui.screens.listing import SearchScreen
from hivetui.screens.review.contents import DiffOptions
from hivetui.widgets.diff.diff_view import DiffView

SIDES_WIDTH = 140
"""The diff can be shown side by side on screens of at least so many columns."""
MAX_CONTEXT = 10_000


class DiffScreen(SearchScreen):
    """Subclasses give the view and load the diff again when an option changes."""

    @property
    def diff(self) -> DiffView:
        """The view of the diff."""
        raise NotImplementedError

    @property
    def options(self) -> DiffOptions:
        """The options the diff on the screen was made with."""
        raise NotImplementedError

    def change_options(self, options: DiffOptions) -> None:
        """Make the diff again."""
        raise NotImplementedError

    @property
    def searchable(self) -> DiffView:
        """Searches go through the diff."""
        return self.diff

    def on_mount(self) -> None:
        """Start unified; side by side is a key away where there is enough width."""
        self.diff.side_by_side = False

    def on_resize(self) -> None:
        """Go back to unified where side by side no longer fits."""
        if self.diff.sides is not None and self.size.width < SIDES_WIDTH:
            self.diff.action_toggle_sides()

    def action_next_hunk(self) -> None:
        """Go to the next change."""
        self.diff.action_next_hunk()

    def action_previous_hunk(self) -> None:
        """Go to the previous change."""
        self.diff.action_previous_hunk()

    def action_left(self) -> None:
        """Scroll left in long lines."""
        self.diff.action_left()

    def action_right(self) -> None:
        """Scroll right in long lines."""
        self.diff.action_right()

    def action_sides(self) -> None:
        """Switch between unified and side by side."""
        self.diff.action_toggle_sides()

    def action_more_context(self) -> None:
        """Show more lines around each change."""
        self._set_context(min(max(self.options.context * 2, 1), MAX_CONTEXT))

    def action_less_context(self) -> None:
        """Show fewer lines around each change."""
        self._set_context(self.options.context // 2)

    def _set_context(self, lines: int) -> None:
        if lines != self.options.context:
            self.notify(f"{lines} lines around each change", timeout=2, markup=False)
            self.change_options(replace(self.options, context=lines))

    def action_whitespace(self) -> None:
        """Ignore or show whitespace changes; the head says which."""
        self.change_options(replace(self.options, ignore_whitespace=not self.options.ignore_whitespace))
