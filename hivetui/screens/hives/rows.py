"""The columns of the list of hives, a hive as a row of it, and rows of several hives as one list. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from textual.content import Content

from hivetui.console.hives import Condition, HiveLink
from hivetui.console.session import Session
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.text import safe
from hivetui.widgets import wording
from hivetui.widgets.table.rows import Cell, Column, Row, Tone

COLUMNS = (
    Column("name", "HIVE", 9, 24, priority=10, names=True),
    Column("state", "STATE", 15, 15, priority=9),
    Column("agents", "AGENTS", 6, 6, priority=7, align="right"),
    Column("running", "RUNNING", 7, 7, priority=4, align="right"),
    Column("pending", "PENDING", 7, 7, priority=8, align="right"),
    Column("warnings", "WARNINGS", 8, 8, priority=6, align="right"),
    Column("operations", "ACTIVE", 6, 6, priority=3, align="right"),
    Column("role", "ROLE", 6, 6, priority=2),
    Column("problem", "PROBLEM", 12, 90, priority=5),
)
HIVE_COLUMN = Column("hive", "HIVE", 6, 16, priority=11, names=True)
"""What a list of several hives has before its other columns."""
_GLYPHS: dict[Condition, tuple[str, Tone]] = {
    Condition.CLOSED: ("○", "dim"),
    Condition.CONNECTING: ("◐", "busy"),
    Condition.CONNECTED: ("●", "good"),
    Condition.LOST: ("✗", "bad"),
    Condition.FAILED: ("✗", "bad"),
}
_SEPARATOR = "\0\0"
"""Between the name of the hive and the rest of a key; neither has a NUL."""


def build_row(link: HiveLink, is_front: bool, now: datetime) -> Row:
    """One hive as a row; of one that is lost, the numbers are those of its last state."""
    name, state = Cell(link.name, "strong"), _state_cell(link, is_front, now)
    return Row(link.name, (name, state, *_content_cells(link.session), Cell(link.problem, "bad")))


def _content_cells(session: Session | None) -> tuple[Cell, ...]:
    """How much there is on a hive, and what may be done there; of one that was never open nothing is known."""
    if session is None:
        return (*[Cell("–", "dim", -1)] * 5, Cell(""))
    state = session.state
    running = sum(agent.state is AgentState.RUNNING for agent in state.agents)
    return (
        _count_cell(len(state.own_agents)),
        _count_cell(running),
        _count_cell(len(state.proposals), "warn"),
        _count_cell(len(state.warnings), "warn"),
        _count_cell(len(state.operations), "busy"),
        Cell(session.hive.role),
    )


def _state_cell(link: HiveLink, is_front: bool, now: datetime) -> Cell:
    condition = link.condition
    glyph, tone = _GLYPHS[condition]
    age = f" {wording.format_age(link.since, now)}" if link.is_away else ""
    words = "in front" if is_front and condition is Condition.CONNECTED else str(condition)
    return Cell(f"{glyph} {words}{age}", tone)


def _count_cell(count: int, tone: Tone = "") -> Cell:
    return Cell(str(count), tone if count else "dim", count)


def describe(link: HiveLink, now: datetime) -> Content:
    """What is known about a hive, in lines: which it is, or why it is away and what to do."""
    session, error = link.session, link.error
    if session is None and error is None:
        return Content("")
    if session is None and error is not None:
        parts = [(error.what, "$error"), *((line, "") for line in error.why.splitlines()), (error.fix, "$warning")]
        return Content("\n").join(Content.styled(safe(text), style) for text, style in parts if text)
    assert session is not None
    description = session.hive.description
    parts = [(f"{description.title}, hivetui {description.version}, role {session.hive.role}", "")]
    if link.is_away:
        parts.append((f"lost {wording.format_ago(link.since, now)}: {link.problem}", "$error"))
    elif link.problem:
        parts.append((link.problem, "$warning"))
    return Content("\n").join(Content.styled(safe(text), style) for text, style in parts)


def with_hive(name: str, rows: Iterable[Row], is_away: bool) -> Iterator[Row]:
    """The rows of one hive as rows of a list of several; those of one that is away are marked as old."""
    cell = Cell(f"✗ {name}", "bad", name) if is_away else Cell(name, "strong")
    for row in rows:
        yield row._replace(key=f"{name}{_SEPARATOR}{row.key}", cells=(cell, *row.cells))


def split_key(key: str) -> tuple[str, str]:
    """The name of the hive and the key of the row there."""
    name, _, rest = key.partition(_SEPARATOR)
    return name, rest
