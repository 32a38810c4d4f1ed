"""What screens with one large view share: the keys that move in it, its search, and for tables filter and sort."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import ClassVar, Protocol, TypeVar

from textual.widget import Widget
from textual.widgets import Input, Static

from hivetui.console.keymap import current_key
from hivetui.console.state import HiveState
from hivetui.console.stylesheets import read_stylesheet
from hivetui.console.terminal.status_text import StatusText
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.patterns import find_problem
from hivetui.engine.model.text import safe
from hivetui.engine.model.times import format_time
from hivetui.screens.base import HiveScreen
from hivetui.screens.prompt_line import PromptLine
from hivetui.screens.trouble import describe_wait, format_lost_at
from hivetui.screens.view_actions import ViewActions
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Column

T = TypeVar("T")

_PROBLEM_ROWS = 3
"""So many rows, about, why the line is lost may take above a table: a path in it can be long."""
_LEAST_WIDTH = 60
MOVEMENT = frozenset({"down", "up", "page_down", "page_up", "first", "last"})
"""The `list.*` actions that every view has."""


class ViewScreen(ViewActions, HiveScreen):
    """A screen whose `list.*` actions go to one view."""


class Searchable(Protocol):
    """A view that can be searched."""

    @property
    def searching(self) -> bool:
        """Whether a search is active."""
        ...

    def search(self, text: str) -> None:
        """Go to the first match, or end the search for ""; raises BadPattern."""
        ...

    def preview_search(self, text: str) -> None:
        """Go to the first match of a pattern that is still being typed."""
        ...

    def cancel_search(self) -> None:
        """Go back to where the view was before the preview."""
        ...

    def tell(self, text: str) -> None:
        """Say something below the lines; "" says nothing any more."""
        ...

    def action_next_match(self) -> None:
        """Go to the next match."""
        ...

    def action_previous_match(self) -> None:
        """Go to the previous match."""
        ...


def search_hint() -> str:
    """What the prompt of a search says before anything is typed."""
    keys = [current_key(name) for name in ("prompt.submit", "search.next", "search.previous", "everywhere.back")]
    return "search (regex): {} searches, {} and {} repeat, {} cancels".format(*keys)


class SearchScreen(ViewScreen):
    """A screen whose one large view is searched through the prompt."""

    @property
    def searchable(self) -> Searchable:
        """The view that is searched."""
        raise NotImplementedError

    def action_find(self) -> None:
        """Ask for a pattern."""
        self.close_prompt()
        self.query_one(PromptLine).ask(search_hint(), refusal=find_problem)

    def action_next(self) -> None:
        """Go to the next match."""
        self.searchable.action_next_match()

    def action_previous(self) -> None:
        """Go to the previous match."""
        self.searchable.action_previous_match()

    @property
    def is_prompt_for_search(self) -> bool:
        """Whether what is typed is searched for; a screen whose prompt asks for other things too overrides this."""
        return True

    def on_input_changed(self, message: Input.Changed) -> None:
        """Use what is typed at once. Textual calls this after that of a subclass, unless that prevents it."""
        if self.query_one(PromptLine).has_class("open"):
            self.preview_text(message.value)

    def preview_text(self, text: str) -> None:
        """Search while the pattern is typed; say what is wrong with one that is for something else."""
        if self.is_prompt_for_search:
            self.searchable.preview_search(text)
        else:
            self.searchable.tell(self.query_one(PromptLine).problem)

    def on_prompt_line_refused(self, message: PromptLine.Refused) -> None:
        """Say why the prompt stays open, and how to leave it."""
        self.searchable.tell(f"✖ {message.problem}; {current_key('everywhere.back')} leaves it")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Close the prompt and use its text."""
        self.query_one(PromptLine).leave()
        self.accept_text(message.value)

    def accept_text(self, text: str) -> None:
        """Search for the text; a screen whose prompt asks for other things too overrides this."""
        self.searchable.search(text)

    def action_forward(self) -> None:
        """Move a page down."""
        self.view.action_page_down()

    def end_innermost(self) -> bool:
        """Close the prompt, or end the search."""
        if self.close_prompt():
            return True
        if not self.searchable.searching:
            return False
        self.searchable.search("")
        return True

    def close_prompt(self) -> bool:
        """Close the prompt; returns whether it was open."""
        prompt = self.query_one(PromptLine)
        was_open = prompt.has_class("open")
        if was_open:
            prompt.leave()
            if self.is_prompt_for_search:
                self.searchable.cancel_search()
            else:
                self.searchable.tell("")
        return was_open


class ListScreen(ViewScreen):
    """A table with filter and sort; subclasses give columns and rows."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    EMPTY: ClassVar[str] = ""
    FOLD_TITLE: ClassVar[str] = "more"
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self, hive: Hive, state: HiveState) -> None:
        super().__init__(hive, state)
        self.load_problem = ""
        """Why the rows that this list loads by itself could not be loaded the last time; "" if they could."""
        self.cursors: dict[str, str] = {}
        """The key under the cursor of each list, by tab. The navigator shares it, so that it outlives the screens."""

    def body(self) -> Iterable[Widget]:
        """Notices, the table, the prompt of the filter."""
        yield StatusText("", classes="notice", markup=False)
        yield LineTable(self.COLUMNS, fold_title=self.FOLD_TITLE, empty=self.EMPTY, classes="body")
        yield PromptLine()

    def on_mount(self) -> None:
        """Put the cursor where it was when this list was last left; Textual calls that of the base class by itself."""
        self.table.wanted = self.cursors.get(self.TAB)

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Remember where the cursor is."""
        if message.key is not None and self.table.wanted is None:
            self.cursors[self.TAB] = message.key

    @property
    def table(self) -> LineTable:
        """The table."""
        return self.query_one(LineTable)

    @property
    def is_ready(self) -> bool:
        """Whether its widgets exist; while it is removed, the table goes before the others."""
        return super().is_ready and bool(self.query(LineTable))

    @property
    def view(self) -> LineTable:
        """The table, in which the keys move."""
        return self.table

    def empty(self) -> str:
        """Why there are no rows, when it is known that there are none."""
        return self.EMPTY

    @property
    def is_known(self) -> bool:
        """Whether it is known which rows there are; a list that loads some by itself overrides this."""
        return self.state.loaded

    async def load_rows(self, rows: Awaitable[T]) -> T | None:
        """The rows; None, with the error shown, when they cannot be loaded."""
        try:
            loaded = await rows
        except HiveError as error:
            self.load_problem = error.what
            self.show_error(error)
            return None
        self.load_problem = ""
        return loaded

    def notices(self) -> Iterable[str]:
        """Notices to show above the table, a line each; not escaped yet."""
        return ()

    def problems(self) -> Iterable[str]:
        """Why the rows may be outdated; not escaped yet."""
        if self.state.problem:
            outdated = " The data may be outdated." if self.state.loaded else ""
            yield f"▲ The hive does not answer: {self.state.problem.removesuffix('.')}.{outdated}"

    def away_notices(self) -> Iterable[str]:
        """Which of the other hives do not answer, and since when."""
        for link in () if self.hives is None else self.hives.away:
            since = f" since {format_time(link.since, self.clock(), None, seconds=False)}" if link.since else ""
            yield f"▲ {link.name} is away{since}: {link.problem}"

    def _show_all(self) -> None:
        super()._show_all()
        if self.is_ready:
            self.show_notices()

    def show_notices(self) -> None:
        """Paint the notices above the table, and why it is empty; a long problem of the line comes last, and is cut."""
        rows = [*self._mark_counts(), *self._filter_counts(), *self.notices()]
        problems = [safe(row, _PROBLEM_ROWS * max(self.size.width - 4, _LEAST_WIDTH)) for row in self.problems()]
        text = "\n".join([*map(safe, rows), *problems])
        notice = self.query_one(".notice", Static)
        if text != str(notice.content):
            notice.update(text)
            notice.set_class(bool(text), "some")
        self._explain_empty()

    def _show_lines(self) -> None:
        """The list says too what is waited for."""
        super()._show_lines()
        if self.is_ready:
            self._explain_empty()

    def _filter_counts(self) -> Iterable[str]:
        """How many of the rows the filter leaves."""
        pattern, given = self.query_one(PromptLine).value, self.table.rows_given
        if pattern and given:
            yield f"filter {pattern!r}: {self.table.line_count()} of {given}"

    def _mark_counts(self) -> Iterable[str]:
        """Which rows are marked, and how many of them the filter hides."""
        if marked := self.table.marked:
            names = ", ".join(self.label_of(key) for key in marked)
            hidden = len(set(marked) - set(self.table.shown))
            keys = f"{hidden} of them hidden; keys" if hidden else "keys"
            yield f"{len(marked)} marked: {names} ({keys} act on them all; {current_key('everywhere.back')} unmarks)"

    def label_of(self, key: str) -> str:
        """How the row with a key is named in a sentence."""
        return key

    def on_line_table_selection_changed(self) -> None:
        """Show the marks; which keys are legal depends on them."""
        self.show_notices()
        self.refresh_bindings()

    def _explain_empty(self) -> None:
        pattern = self.query_one(PromptLine).value
        if pattern and self.table.rows_given:
            back = current_key("everywhere.back")
            text = f"None of {self.table.rows_given} rows contains {pattern!r}. {back} clears the filter."
        elif self.is_known:
            is_old = self.state.lost_at is not None and not self.IS_ABOUT_ALL
            text = f"As of {format_lost_at(self.state, self.clock())}: {self.empty()}" if is_old else self.empty()
        elif problem := self.state.problem or self.load_problem:
            text = f"Not known yet: {problem}"
        else:
            text = f"Loading … {describe_wait(self.state, self.hive)}".rstrip()
        if text != self.table.empty:
            self.table.empty = text
            self.table.repaint()

    def action_open(self) -> None:
        """Open the selected row."""
        self.table.action_choose()

    def action_mark(self) -> None:
        """Mark or unmark the selected row, in lists that have a key for it."""
        self.table.action_toggle_mark()

    def action_filter(self) -> None:
        """Ask for a filter."""
        prompt = self.query_one(PromptLine)
        keys = [current_key(name) for name in ("prompt.submit", "everywhere.back")]
        prompt.ask("filter: {} keeps it, {} clears it".format(*keys), prompt.value)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filter while the text is typed."""
        self.table.filter(message.value)
        self.show_notices()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Keep the filter, and keep it visible."""
        prompt = self.query_one(PromptLine)
        if prompt.value:
            self.set_focus(None)
        else:
            prompt.leave()

    def end_innermost(self) -> bool:
        """Clear the filter or, if there is none, the marks."""
        prompt = self.query_one(PromptLine)
        had_filter = prompt.has_class("open") or bool(prompt.value)
        if had_filter:
            prompt.value = ""
            prompt.leave()
            return True
        had_marks = bool(self.table.marked)
        self.table.mark(())
        return had_marks

    def action_sort(self) -> None:
        """Sort by the next visible column; after the last one, do not sort."""
        ids: list[str | None] = [None, *self.table.shown_columns]
        current = self.table.sorted_by
        position = ids.index(current[0]) if current and current[0] in ids else 0
        self.table.sort(ids[(position + 1) % len(ids)])

    def action_reverse(self) -> None:
        """Reverse the sort order."""
        if (current := self.table.sorted_by) is not None:
            self.table.sort(current[0], not current[1])
