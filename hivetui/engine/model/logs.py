"""Lines of the agents' logs, and queries for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from hivetui.engine.model.base import Model

NOTE_STREAM = "hivetui"
"""The `stream` of a line that hivetui adds itself: what is the matter with a journal, in place of lines it lacks."""
NOTE_PRIORITY = 4
"""A warning: something is missing."""


class LogLine(NamedTuple):
    """One line of an agent's log; a tuple, because lines come by the hundred thousand.

    `text` has a line feed only in binary data, which is not split. `stream` names the service or program that wrote it.
    `priority` is what the journal says of its level, from 0 (the system is unusable) to 7 (debug); 6 is also the
    default, and None means that the journal has none.

    `cursor` is where its entry is: which journal and where in it, for `LogQuery.after`. The lines of one entry have
    the same, no other lines have it, and it stays when the clock is set; "" for a line that hivetui adds.
    """

    time: datetime
    agent: str
    stream: str
    text: str
    priority: int | None = None
    cursor: str = ""


class LogQuery(Model):
    """Which lines of which agents.

    `lines` is how many of the last ones, None for all; `since` is in UTC; `grep` is a regular expression (RE2) that the
    shown text of a line matches, as in the console's filter; `follow` continues with new lines.

    `after` continues a stream that was lost: the `cursor` of the last line that came of each journal. A journal that
    is in it begins with the next entry, whatever `lines` and `since` say; give a `since` for the others.
    """

    agents: tuple[str, ...]
    follow: bool = False
    lines: int | None = 100
    since: datetime | None = None
    grep: str | None = None
    after: tuple[str, ...] = ()


def journal_of(cursor: str) -> str:
    """The journal that the `cursor` of a line is of."""
    return cursor.partition(" ")[0]


def note_dropped(count: int, time: datetime, agents: Sequence[str]) -> list[LogLine]:
    """The line in place of so many lines of these agents that an engine left out; none for 0."""
    if not count:
        return []
    dropped = "1 line was dropped" if count == 1 else f"{count} lines were dropped"
    text = f"{dropped}: they came faster than they were read here"
    agent = agents[0] if len(agents) == 1 else ""
    return [LogLine(time, agent, NOTE_STREAM, text, NOTE_PRIORITY)]
