"""Lines of the agents' logs, and queries for them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from hivetui.engine.model.base import Model

NOTE_STREAM = "hivetui"
"""The `stream` of a line that hivetui adds itself: what is the matter with a journal, in place of lines it lacks."""


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
