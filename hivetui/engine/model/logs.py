"""Lines of the agents' logs, and queries for them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from hivetui.engine.model.base import Model


class LogLine(NamedTuple):
    """One line of an agent's log. Cheap on purpose: they come by the hundred thousand."""

    time: datetime
    agent: str
    stream: str
    text: str


class LogQuery(Model):
    """Which lines: of whom, how many of the last, since when (UTC), matching what, and whether to go on."""

    agents: tuple[str, ...]
    follow: bool = False
    lines: int | None = 100
    since: datetime | None = None
    grep: str | None = None
