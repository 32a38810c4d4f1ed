"""A screen around the files of a change and its diff: the options of the diff, and the keys that move in both."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.widgets import Input

from hivetui.console.keymap import current_key
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.text import safe
from hivetui.screens.listing import SearchScreen
from hivetui.screens.prompt_line import PromptLine
from hivetui.screens.review.contents import DiffOptions, ReviewContents, ViewedFiles
from hivetui.screens.review.files import FilePanes
from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.lines.line_view import LineView

WIDE = 110
"""The files stand beside the diff on screens of at least so many columns, else above it."""
SIDES_WIDTH = 140
"""The diff can be shown side by side on screens of at least so many columns."""
MAX_CONTEXT = 10_000


class DiffScreen(SearchScreen):
    """Subclasses compose `panes` into their body, and load the diff."""

    def __init__(self, hive: Hive, state: HiveState, contents: ReviewContents, viewed: ViewedFiles) -> None:
        super().__init__(hive, state)
        self.contents, self.viewed = contents, viewed
        self.panes = FilePanes(viewed)

    def load(self) -> None:
        """Load the diff with the current options."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Start unified; side by side is a key away on a wide screen."""
        self.diff.side_by_side = False

    def compose(self) -> ComposeResult:
        """Arrange it for the width of the terminal at once; to do so later would style every widget again."""
        self.fit_to_width(self.app.size.width)
        yield from super().compose()

    def fit_to_width(self, width: int) -> None:
        """The files stand beside the diff on a wide screen."""
        self.set_class(width >= WIDE, "wide")

    def on_resize(self) -> None:
        """Arrange it anew; back to unified where side by side no longer fits."""
        self.fit_to_width(self.size.width)
        if self.diff.sides is not None and self.size.width < SIDES_WIDTH:
            self.diff.action_toggle_sides()

    @property
    def diff(self) -> DiffView:
        """The view of the diff."""
        return self.panes.diff

    @property
    def view(self) -> LineView:
        """Keys move in the diff, or in the files while one is being chosen."""
        return self.panes.files if self.panes.is_choosing else self.diff

    @property
    def searchable(self) -> DiffView:
        """Searches go through the diff."""
        return self.diff

    # -- options ----------------------------------------------------------------------------------------------------

    def change_options(self, options: DiffOptions) -> None:
        """Load the diff again with other options."""
        self.contents.options = options
        self.load()

    def action_more_context(self) -> None:
        """Show more lines around each change."""
        self._set_context(min(max(self.contents.options.context * 2, 1), MAX_CONTEXT))

    def action_less_context(self) -> None:
        """Show fewer lines around each change."""
        self._set_context(self.contents.options.context // 2)

    def _set_context(self, lines: int) -> None:
        if lines != self.contents.options.context:
            self.notify(f"{lines} context {'line' if lines == 1 else 'lines'}", timeout=2, markup=False)
            self.change_options(replace(self.contents.options, context=lines))

    def action_whitespace(self) -> None:
        """Ignore or show whitespace changes; the head says which."""
        options = self.contents.options
        self.change_options(replace(options, ignore_whitespace=not options.ignore_whitespace))

    def action_sides(self) -> None:
        """Switch between unified and side by side."""
        self.diff.action_toggle_sides()

    def action_wrap(self) -> None:
        """Wrap long lines or cut them."""
        self.diff.action_toggle_wrap()

    # -- moving -----------------------------------------------------------------------------------------------------

    def go_to_line(self, file: str, line: int, is_old: bool = False) -> bool:
        """Go to a line of the diff; say so if it is not there, and return False."""
        if self.diff.go_to_place(file, line, is_old):
            return True
        key = current_key("review.more_context")
        text = f"{safe(file)}:{line} is not among the lines of this diff; {key} shows more lines around each change."
        self.notify(text, markup=False)
        return False

    def action_next_hunk(self) -> None:
        """Go to the next change."""
        self.diff.action_next_hunk()

    def action_previous_hunk(self) -> None:
        """Go to the previous change."""
        self.diff.action_previous_hunk()

    def action_next_file(self) -> None:
        """Go to the next file."""
        self.panes.step(1)

    def action_previous_file(self) -> None:
        """Go to the previous file."""
        self.panes.step(-1)

    def action_left(self) -> None:
        """Scroll left in long lines."""
        self.diff.action_left()

    def action_right(self) -> None:
        """Scroll right in long lines."""
        self.diff.action_right()

    def action_files(self) -> None:
        """Move in the list of files, or in the diff again."""
        self.panes.choose(not self.panes.is_choosing)

    def action_open(self) -> None:
        """Open the file that is being chosen."""
        if self.panes.is_choosing:
            self.panes.files.action_choose()

    def action_find(self) -> None:
        """Search in the diff; filter the files while one is being chosen."""
        if self.panes.is_choosing:
            self.query_one(PromptLine).ask("filter files by path")
        else:
            super().action_find()

    @property
    def is_prompt_for_search(self) -> bool:
        """Whether what is typed is searched for in the diff, and filters no files."""
        return not self.panes.is_choosing

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filter the files while it is typed; a search is for the base class, which Textual calls by itself."""
        if self.panes.is_choosing:
            message.prevent_default()
            self.panes.filter_files(message.value)

    def accept_text(self, text: str) -> None:
        """Search; files are filtered already."""
        if not self.panes.is_choosing:
            super().accept_text(text)

    def end_innermost(self) -> bool:
        """Close the prompt, end the search, leave the list of files."""
        if super().end_innermost():
            return True
        was_choosing = self.panes.is_choosing
        if was_choosing:
            self.panes.choose(False)
        return was_choosing
