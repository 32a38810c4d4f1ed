"""The tree of expected failures: each has a message, a reason and a fix, and an exit status.

    HiveError
    ├── OperationFailed      1   the operation ran and failed
    │   └── CommandFailed    1   a program that it ran failed
    ├── WrongUsage          64
    ├── BadData             65   a bad name, commit, note ...
    ├── NotFound            66   no such agent, proposal or operation
    ├── Unavailable         69   the engine, nix, nixos-container or git cannot be run
    ├── CannotCreate        73   a full disk, a read-only file system
    ├── TryAgain            75   it may succeed later: a stale decision, a busy agent
    │   ├── Stale
    │   └── Busy
    ├── NotAllowed          77
    ├── BadConfiguration    78
    └── Interrupted        130

An exception of a library is turned into one of these where it is called. Any other exception is a bug.
"""

from __future__ import annotations

from typing import ClassVar

from hivetui.engine.model.text import join_lines

MAX_WHAT, MAX_WHY, MAX_LINE, MAX_FIX = 300, 16 << 10, 1000, 2000
"""Characters of an error's message, its reason, a line of that, and its advice, in which commands stay whole."""


def shorten(text: str, limit: int) -> str:
    """`text` without its middle, and with the count of what was left out, if it is much longer than `limit`."""
    if len(text) <= limit + 30:  # a mark is not longer than what it stands for
        return text
    head = limit * 2 // 3
    return f"{text[:head]} … (+{len(text) - limit} characters) … {text[len(text) - (limit - head) :]}"


class HiveError(Exception):
    """An expected failure: `what` happened, `why`, and what to do (`fix`); `code` is the exit status.

    Each part is bounded here, whatever a message repeats: an argument or a line of output may be of any length.
    """

    code: ClassVar[int] = 1

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        self.what, self.fix = shorten(what, MAX_WHAT), shorten(fix, MAX_FIX)
        self.why = shorten("\n".join(shorten(line, MAX_LINE) for line in why.split("\n")), MAX_WHY)
        super().__init__(self.what, self.why, self.fix)

    @property
    def reason(self) -> str:
        """`why` as one line."""
        return join_lines(self.why)

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.fix) if part)


class OperationFailed(HiveError):
    """The operation ran and failed."""


class CommandFailed(OperationFailed):
    """A program ended with a status other than 0, by a signal, or at its timeout."""


class WrongUsage(HiveError):
    """The command line was not understood."""

    code = 64


class BadData(HiveError):
    """A name, a commit, a note or a proposed repo is not acceptable."""

    code = 65


class NotFound(HiveError):
    """There is no such agent, proposal or operation."""

    code = 66


class Unavailable(HiveError):
    """A program or a service that the engine needs cannot be used."""

    code = 69


class CannotCreate(HiveError):
    """A file or directory could not be written: full disk, read-only file system."""

    code = 73


class TryAgain(HiveError):
    """The same request may succeed later."""

    code = 75


class Stale(TryAgain):
    """What the caller has read has changed since; read it again and decide again."""


class Busy(TryAgain):
    """Another operation holds the agent."""


class NotAllowed(HiveError):
    """This user lacks the rights."""

    code = 77


class BadConfiguration(HiveError):
    """A settings file or variable is wrong."""

    code = 78


class Interrupted(HiveError):
    """The operator or a signal interrupted it."""

    code = 130
