"""A dialog that chooses some of the agents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from hivetui.engine.model.agents import Agent
from hivetui.engine.model.text import safe
from hivetui.widgets.table.line_table import Cell, Column, LineTable, Row

from ...widgets import wording
from .base import Dialog
from .choice import MOST_ROWS


class AgentsDialog(Dialog[tuple[str, ...]]):
    """Returns the names of the marked agents, or of the one under the cursor when none is marked; None to leave it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "leave"),
        Binding("j,down", "next", "next"),
        Binding("k,up", "previous", "previous"),
        Binding("pagedown,ctrl+d", "page_down", "page down"),
        Binding("pageup,ctrl+u", "page_up", "page up"),
        Binding("space", "mark", "mark"),
        Binding("a", "mark_all", "all or none"),
        Binding("enter", "choose", "choose"),
    ]
    DEFAULT_CSS = "AgentsDialog LineTable { margin-top: 1; }"

    def __init__(self, question: str, agents: Sequence[Agent], marked: Iterable[str]) -> None:
        super().__init__()
        self._question, self._agents, self._marked = question, agents, tuple(marked)

    def compose(self) -> ComposeResult:
        """The question, the agents, the keys."""
        with Vertical(classes="box"):
            yield Static(safe(self._question), classes="question", markup=False)
            table = LineTable((Column("name", "NAME", 9, 11), Column("state", "STATE", 10, 12)))
            table.can_focus = False
            yield table
            yield Static("space  mark    a  all or none    enter  take them    esc  leave", classes="answers")

    def on_mount(self) -> None:
        """The agents, those marked that are chosen now."""
        self.table.styles.height = 1 + min(len(self._agents), MOST_ROWS)
        self.table.set_rows([_row_of(one) for one in self._agents])
        self.table.mark(self._marked)

    @property
    def table(self) -> LineTable:
        """The agents."""
        return self.query_one(LineTable)

    def action_next(self) -> None:
        """The next one."""
        self.table.action_line_down()

    def action_previous(self) -> None:
        """The one before."""
        self.table.action_line_up()

    def action_page_down(self) -> None:
        """A page on."""
        self.table.action_page_down()

    def action_page_up(self) -> None:
        """A page back."""
        self.table.action_page_up()

    def action_mark(self) -> None:
        """Mark or unmark."""
        self.table.action_toggle_mark()

    def action_mark_all(self) -> None:
        """All, or none."""
        self.table.action_mark_all()

    def action_choose(self) -> None:
        """Take them, if it was meant."""
        names = self.table.marked or ((self.table.current,) if self.table.current else ())
        if self.is_deliberate() and names:
            self.dismiss(names)


def _row_of(agent: Agent) -> Row:
    glyph, tone = wording.AGENT_GLYPHS[agent.state]
    return Row(agent.name, (Cell(agent.name, "strong"), Cell(f"{glyph} {agent.state}", tone)))
