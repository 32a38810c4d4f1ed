"""The findings of a proposal in a list by severity, the selected one in full; critical ones are acknowledged here."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.findings import Assessment, Finding, Severity
from hivetui.engine.model.text import safe
from hivetui.engine.model.times import format_date_time
from hivetui.screens.dialogs.base import Dialog, question_label
from hivetui.screens.review.contents import Acknowledgements
from hivetui.widgets import wording
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row

_MAX_ROWS = 10


class FindingsDialog(Dialog[str]):
    """Returns the id of the finding whose line is wanted, or None. `on_change` is called after each acknowledgement."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("findings")
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self, assessment: Assessment, acknowledged: Acknowledgements, on_change: Callable[[], None]) -> None:
        super().__init__()
        self._findings = {finding.id: finding for finding in assessment.findings}
        self._assessment, self._acknowledged, self._on_change = assessment, acknowledged, on_change

    def compose(self) -> ComposeResult:
        """What was found in numbers, the list, the selected finding, the keys."""
        keys = (
            ("findings.acknowledge", "acknowledge"),
            ("findings.go", "go to line"),
            ("findings.next findings.previous", "choose"),
            ("dialog.leave", "close"),
        )
        with Vertical(classes="box"):
            yield question_label(self._describe())
            table = LineTable(
                (
                    Column("mark", "", 1, 1, priority=10),
                    Column("severity", "LEVEL", 8, 8, priority=9),
                    Column("rule", "RULE", 10, 24, priority=8),
                    Column("place", "WHERE", 10, 40, priority=7),
                    Column("text", "WHAT", 10, 90, priority=6),
                ),
                empty="No findings.",
            )
            table.can_focus = False
            yield table
            with VerticalScroll(can_focus=False):
                yield Static("", id="text", markup=False)
            yield Static(self.hint(*keys), classes="answers", markup=False)

    def on_mount(self) -> None:
        """Fill the list."""
        self.table.styles.height = 1 + min(max(1, len(self._findings)), _MAX_ROWS)
        self._show_rows()

    @property
    def table(self) -> LineTable:
        """The list of findings."""
        return self.query_one(LineTable)

    @property
    def _current(self) -> Finding | None:
        return self._findings.get(self.table.current or "")

    def _describe(self) -> str:
        return f"Findings: {self._acknowledged.describe(self._assessment)}"

    def _show_rows(self) -> None:
        self.table.set_rows([build_row(one, one.id in self._acknowledged) for one in self._findings.values()])
        self.query_one(".question", Static).update(safe(self._describe(), 180))
        self._show_text()

    def _show_text(self) -> None:
        finding = self._current
        text = describe_finding(finding, finding.id in self._acknowledged) if finding is not None else Content("")
        self.query_one("#text", Static).update(text)

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Show the selected finding from its beginning."""
        self._show_text()
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """A click only selects: what is acknowledged is read first."""

    def action_acknowledge(self) -> None:
        """Acknowledge the selected critical finding, or take that back."""
        finding = self._current
        if finding is None or not self.is_deliberate():
            return
        if finding.severity is Severity.CRITICAL:
            self._acknowledged.toggle(finding.id)
            self._show_rows()
            self._on_change()
        else:
            self.notify(f"Only critical findings are acknowledged; this one is {finding.severity.value}.", markup=False)

    def action_go(self) -> None:
        """Return the selected finding."""
        if (finding := self._current) is not None:
            self.dismiss(finding.id)

    def action_next(self) -> None:
        """Select the next finding."""
        self.table.action_line_down()

    def action_previous(self) -> None:
        """Select the previous finding."""
        self.table.action_line_up()

    def action_first(self) -> None:
        """Select the first finding."""
        self.table.action_first()

    def action_last(self) -> None:
        """Select the last finding."""
        self.table.action_last()

    def action_page_down(self) -> None:
        """Scroll the finding a page down."""
        self.query_one(VerticalScroll).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll the finding a page up."""
        self.query_one(VerticalScroll).scroll_page_up(animate=False)


def build_row(finding: Finding, is_acknowledged: bool) -> Row:
    """One finding as a row; `✓` stands before one that is acknowledged, `▲` before one that must be."""
    is_critical = finding.severity is Severity.CRITICAL
    mark = "✓" if is_acknowledged else "▲" if is_critical or finding.severity is Severity.FORBID else "·"
    cells = (
        Cell(mark, "good" if is_acknowledged else "bad" if mark == "▲" else "dim"),
        Cell(finding.severity.value, wording.SEVERITY_TONES[finding.severity], finding.severity.rank),
        finding.rule,
        describe_place(finding),
        finding.text,
    )
    return Row(finding.id, cells)


def describe_place(finding: Finding) -> str:
    """Where a finding stands, not yet safe to show."""
    if finding.file is None:
        return "message" if finding.rule.endswith("message") else "whole repo"
    line = f":{finding.line}" if finding.line is not None else ""
    return f"{finding.file}{line}{' (removed)' if finding.side == 'old' else ''}"


def describe_finding(finding: Finding, is_acknowledged: bool) -> Content:
    """One finding in full: what, why, and what it demands."""
    parts: list[str | tuple[str, str]] = [
        (f"{finding.severity.value}  {finding.rule}  {safe(describe_place(finding))}\n", "bold"),
        f"{safe(finding.text)}\n\n",
        f"{safe(finding.why)}\n",
    ]
    if (known := finding.acknowledged) is not None:
        at = format_date_time(known.at)
        parts.append(
            f"\nAcknowledged in #{known.proposal} by {safe(known.operator)}, {at} UTC, for the same evidence.\n"
        )
    if finding.severity is Severity.FORBID:
        parts.append(("\nIt cannot be approved; only a change of the configuration lifts that.\n", "$error"))
    elif is_acknowledged:
        parts.append(("\n✓ acknowledged\n", "$success"))
    elif finding.severity is Severity.CRITICAL:
        parts.append(("\n▲ It must be acknowledged before the proposal can be approved.\n", "$warning"))
    parts.append((f"\n{finding.id}", "$foreground 60%"))
    return Content.assemble(*parts)
