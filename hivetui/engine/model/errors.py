"""The one tree of expected failures, each with what happened, why, and what to do, and the exit status it ends with.

    HiveError
    ├── OperationFailed      1   the operation ran and failed
    │   └── CommandFailed    1   a program that it ran failed
    ├── WrongUsage          64
    ├── BadData             65   a bad name, commit, note ...
    ├── NotFound            66   no such agent, proposal or operation
    ├── Unavailable         69   the engine, nix, nixos-container or git is not there
    ├── CannotCreate        73   a full disk, a read-only place
    ├── TryAgain            75   a stale decision or a busy agent
    │   ├── Stale
    │   └── Busy
    ├── NotAllowed          77
    ├── BadConfiguration    78
    └── Interrupted        130

Whatever a foreign library raises is turned into one of these where it enters. Anything else is a bug.
"""

from __future__ import annotations

from typing import ClassVar


class HiveError(Exception):
    """An expected failure on its way to a person."""

    code: ClassVar[int] = 1

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what, why, fix)
        self.what, self.why, self.fix = what, why, fix

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.fix) if part)


class OperationFailed(HiveError):
    """The operation ran and failed."""


class CommandFailed(OperationFailed):
    """A program that an operation ran ended with a status other than 0, or by a signal, or ran out of time."""


class WrongUsage(HiveError):
    """The command line was not understood."""

    code = 64


class BadData(HiveError):
    """A name, a commit, a note or a proposed repo that cannot be accepted."""

    code = 65


class NotFound(HiveError):
    """There is no such agent, proposal or operation."""

    code = 66


class Unavailable(HiveError):
    """A program or a service that the engine needs is not there."""

    code = 69


class CannotCreate(HiveError):
    """A file or folder could not be written: full disk, read-only place."""

    code = 73


class TryAgain(HiveError):
    """It may go another time."""

    code = 75


class Stale(TryAgain):
    """What was read is no longer what is there; read it again and decide again."""


class Busy(TryAgain):
    """Another operation holds the agent."""


class NotAllowed(HiveError):
    """The operating system does not let this user."""

    code = 77


class BadConfiguration(HiveError):
    """A settings file or variable is wrong."""

    code = 78


class Interrupted(HiveError):
    """The operator or a signal ended it."""

    code = 130
