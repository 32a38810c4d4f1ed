"""Benchmarks print figures and fail by none of them: one table at the end, ours beside the peer of the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

_LINES = pytest.StashKey[list["Figure"]]()


@dataclass(frozen=True)
class Figure:
    """What was measured, the goal in words, its limit, ours and the peer's in one unit. Small is good unless `more`."""

    what: str
    unit: str
    ours: float
    limit: float | None = None
    peer: str = ""
    peers: float | None = None
    times_peer: float | None = None
    more: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours to the peer's."""
        return None if not self.peers else self.ours / self.peers

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached, None where there is none."""
        reached = []
        if self.limit is not None:
            reached.append(self.ours >= self.limit if self.more else self.ours <= self.limit)
        if self.times_peer is not None and self.ratio is not None:
            reached.append(self.ratio <= self.times_peer)
        return all(reached) if reached else None

    def cells(self) -> tuple[str, ...]:
        """One row of the table."""
        sign = "≥" if self.more else "≤"
        goals = [f"{sign} {self.limit:g} {self.unit}"] if self.limit is not None else []
        goals += [f"≤ {self.times_peer:g}x"] if self.times_peer is not None else []
        peer = f"{self.peer} {self.peers:.3g} {self.unit}" if self.peers is not None else self.peer or "–"
        ratio = f"{self.ratio:.3g}x" if self.ratio is not None else "–"
        said = {True: "yes", False: "NO", None: "–"}[self.reached]
        return self.what, ", ".join(goals) or "–", peer, f"{self.ours:.3g} {self.unit}", ratio, said


Record = Callable[[Figure], None]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Put a figure into the table at the end of the run."""
    return request.config.stash.setdefault(_LINES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The one table."""
    figures = config.stash.get(_LINES, [])
    rows = [("what", "goal", "peer", "ours", "ratio", "reached"), *(figure.cells() for figure in figures)]
    if figures:
        widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
        terminalreporter.section("figures")
        for row in rows:
            terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
