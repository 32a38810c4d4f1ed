"""A list from which some of the agents are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.engine.model.agents import Agent
from hivetui.screens.dialogs.base import Dialog, question_label
from hivetui.screens.dialogs.choice import MAX_ROWS
from hivetui.widgets import wording
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row


class AgentsDialog(Dialog[tuple[str, ...]]):
    """Returns the names of the marked agents or, if none is marked, of the selected one; None without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings(
        "dialog",
        only=frozenset(
            {"close", "next", "previous", "page_down", "page_up", "first", "last", "mark", "mark_all", "choose"}
        ),
    )

    def __init__(self, question: str, agents: Sequence[Agent], marked: Iterable[str]) -> None:
        super().__init__()
        self._question, self._agents, self._marked = question, agents, tuple(marked)

    def compose(self) -> ComposeResult:
        """The question, the agents, the keys."""
        hint = self.hint(
            ("dialog.mark", "mark"),
            ("dialog.mark_all", "all / none"),
            ("dialog.choose", "select"),
            ("dialog.leave", "cancel"),
        )
        with Vertical(classes="box"):
            yield question_label(self._question)
            table = LineTable((Column("name", "NAME", 9, 11, names=True), Column("state", "STATE", 10, 12)))
            table.can_focus = False
            yield table
            yield Static(hint, classes="answers", markup=False)

    def on_mount(self) -> None:
        """Fill the list and mark the agents that are chosen now."""
        self.table.styles.height = 1 + min(len(self._agents), MAX_ROWS)
        self.table.set_rows([_row(agent) for agent in self._agents])
        self.table.mark(self._marked)

    @property
    def table(self) -> LineTable:
        """The list of agents."""
        return self.query_one(LineTable)

    def action_next(self) -> None:
        """Move to the next agent."""
        self.table.action_line_down()

    def action_previous(self) -> None:
        """Move to the previous agent."""
        self.table.action_line_up()

    def action_page_down(self) -> None:
        """Scroll a page down."""
        self.table.action_page_down()

    def action_page_up(self) -> None:
        """Scroll a page up."""
        self.table.action_page_up()

    def action_first(self) -> None:
        """Move to the first agent."""
        self.table.action_first()

    def action_last(self) -> None:
        """Move to the last agent."""
        self.table.action_last()

    def action_mark(self) -> None:
        """Mark or unmark the agent."""
        self.table.action_toggle_mark()

    def action_mark_all(self) -> None:
        """Mark all agents, or none."""
        self.table.action_mark_all()

    def action_choose(self) -> None:
        """Return the agents, if the key was deliberate."""
        names = self.table.marked or ((self.table.current,) if self.table.current else ())
        if self.is_deliberate() and names:
            self.dismiss(names)


def _row(agent: Agent) -> Row:
    glyph, tone = wording.AGENT_GLYPHS[agent.state]
    return Row(
        agent.name, (Cell(agent.name, "strong"), Cell(f"{glyph} {wording.agent_state_label(agent.state)}", tone))
    )
