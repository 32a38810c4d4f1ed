"""The columns of the table of agents, and an agent as a row of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hivetui.console.state import is_foreign
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.state import Figures
from hivetui.engine.model.warnings import WarningCode
from hivetui.screens.operation_text import format_step
from hivetui.widgets import wording
from hivetui.widgets.table.rows import Cell, Column, Row

COLUMNS = (
    Column("name", "NAME", 9, 12, priority=10, names=True),
    Column("state", "STATE", 10, 11, priority=9),
    Column("port", "PORT", 5, 7, priority=6, align="right"),
    Column("deployed", "DEPLOYED", 15, 18, priority=7),
    Column("update", "OUTDATED", 8, 8, priority=3),
    Column("pending", "PENDING", 7, 10, priority=8),
    Column("memory", "MEM", 4, 6, priority=4, align="right"),
    Column("cpu", "CPU", 4, 5, priority=5, align="right"),
    Column("uptime", "UP", 4, 7, priority=2, align="right"),
    Column("operation", "OPERATION", 9, 24, priority=7),
)
PORT_WARNINGS = frozenset({WarningCode.PORT_COLLISION, WarningCode.PORT_IN_USE})
"""The warnings that the screen repeats above the table and marks in the column of ports."""
_FOREIGN_RANK, _NEVER_DEPLOYED_RANK = -2, -1  # sort before every id of a proposal


def select_columns(wanted: Sequence[str]) -> list[int]:
    """The indices in `COLUMNS` of the wanted ids, in their order and always with the name; all if none is known."""
    known = [column.id for column in COLUMNS]
    selected = [known.index(name) for name in dict.fromkeys(wanted) if name in known]
    if not selected:
        return list(range(len(known)))
    name = known.index("name")
    return selected if name in selected else [name, *selected]


def with_figures(agent: Agent, figures: Mapping[str, Figures]) -> Agent:
    """A running agent with what its container uses, by container, where that is known."""
    found = figures.get(agent.container)
    if found is None or agent.state is not AgentState.RUNNING:
        return agent
    return agent.model_copy(update=found.model_dump())


class AgentRows:
    """Makes the rows of a table with some of the columns, each anew only where something differs that it shows."""

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = columns
        self._known: dict[str, tuple[tuple[object, ...], Row]] = {}
        """What the row of each container was made of, and the row."""

    def make(
        self,
        agents: Sequence[Agent],
        figures: Mapping[str, Figures],
        operations: Sequence[Operation],
        now: datetime,
    ) -> list[Row]:
        """A row for each agent; one of which nothing has changed is the very one of the last time."""
        running = {operation.id: operation for operation in operations}
        known = {}
        for agent in agents:
            operation = running.get(agent.operation) if agent.operation is not None else None
            shown = (agent, figures.get(agent.container), operation, format_uptime(agent, now))
            before = self._known.get(agent.container)
            if before is None or any(old is not new and old != new for old, new in zip(before[0], shown, strict=True)):
                row = build_row(with_figures(agent, figures), running, now)
                before = (shown, row._replace(cells=tuple(row.cells[index] for index in self._columns)))
            known[agent.container] = before
        self._known = known
        return [row for _, row in known.values()]


def build_row(agent: Agent, operations: Mapping[int, Operation], now: datetime) -> Row:
    """One agent as a row with all columns; `operations` are the running ones by id."""
    glyph, tone = wording.AGENT_GLYPHS[agent.state]
    operation = operations.get(agent.operation) if agent.operation is not None else None
    collides = any(warning.code in PORT_WARNINGS for warning in agent.warnings)
    since = agent.since if agent.state is AgentState.RUNNING else None
    return Row(
        agent.name,
        (
            Cell(agent.name, "strong"),
            Cell(f"{glyph} {wording.agent_state_label(agent.state)}", tone),
            Cell(_format_port(agent, collides), "warn" if collides else "", agent.port),
            _deployed_cell(agent),
            Cell("outdated" if agent.needs_update else "", "warn"),
            Cell(_format_pending(agent), "warn", len(agent.pending)),
            Cell(wording.format_size(agent.memory_bytes), "", agent.memory_bytes or 0),
            Cell("–" if agent.cpu_percent is None else f"{agent.cpu_percent:.0f}%", "", agent.cpu_percent or 0.0),
            Cell(format_uptime(agent, now), "", -since.timestamp() if since else float("-inf")),
            Cell(f"▶ {operation.kind} {format_step(operation)}" if operation else "", "busy"),
        ),
        folded=agent.state is AgentState.KEPT and agent.operation is None,  # an agent that is being spawned is shown
    )


def format_uptime(agent: Agent, now: datetime) -> str:
    """How long its container has been running; "–" for one that does not run."""
    return wording.format_age(agent.since if agent.state is AgentState.RUNNING else None, now)


def _format_pending(agent: Agent) -> str:
    """How many proposals are pending, and the oldest."""
    return f"{len(agent.pending)} (#{agent.pending[0]})" if agent.pending else ""


def _format_port(agent: Agent, collides: bool) -> str:
    return f"{'▲' if collides else ''}{agent.port}" if agent.port else "–"


def _deployed_cell(agent: Agent) -> Cell:
    if is_foreign(agent):
        return Cell("foreign", "dim", _FOREIGN_RANK)
    if agent.deployed is None:
        return Cell("–", "", _NEVER_DEPLOYED_RANK)
    return Cell(f"#{agent.deployed} {wording.short_hash(agent.deployed_commit)}", "", agent.deployed)
