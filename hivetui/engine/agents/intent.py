"""What an agent is meant to do: whether it should run, what is being done to it, and what was built for it last.

One small file an agent, outside of every repo and container. It says what the operator wanted, never what is: what is,
is told by the unit, the profile and the tags. A file that is torn or strange counts as missing; nothing depends on it
but whether a reboot starts the agent and whether its row says that a rebuild would change something.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from pydantic import ValidationError

from hivetui.engine.host import files
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.base import Model
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.names import problem
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.operations.rollback import RollbackFailed


class Wanted(StrEnum):
    """What the operator last asked for."""

    RUNNING = "running"
    STOPPED = "stopped"


class Built(Model):
    """What the last system of an agent was made of: its commit, the revision of the base flake, and the store path."""

    commit: str
    base: str
    system: str


class Intent(Model):
    """The content of the file. `doing` is what is being done to the container, and was when a kill came."""

    wanted: Wanted = Wanted.STOPPED
    doing: OperationKind | None = None
    built: Built | None = None


def read(paths: Paths, name: str) -> Intent:
    """The agent's intent; that of an agent nobody asked anything of when there is none."""
    try:
        return Intent.model_validate_json(paths.intent(name).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return Intent()


def set_wanted(paths: Paths, name: str, wanted: Wanted) -> None:
    """Remember what the operator asked for."""
    _write(paths, name, read(paths, name).model_copy(update={"wanted": wanted}))


def set_built(paths: Paths, name: str, built: Built) -> None:
    """Remember what the agent's system was made of."""
    _write(paths, name, read(paths, name).model_copy(update={"built": built}))


@contextmanager
def in_progress(paths: Paths, name: str, kind: OperationKind) -> Iterator[None]:
    """Remember for the block, durably, what is being done to the container: what finds it later says how it is settled.

    A block that fails has taken back what it did, so that is an end too; unless it says that it could not.
    """
    _write(paths, name, read(paths, name).model_copy(update={"doing": kind}))
    try:
        yield
    except RollbackFailed:
        raise
    except BaseException:
        with suppress(HiveError):  # a full disk: what failed is what counts, and repair looks again
            clear_in_progress(paths, name)
        raise
    clear_in_progress(paths, name)


def clear_in_progress(paths: Paths, name: str) -> None:
    """Nothing is being done any more; an agent that was forgotten meanwhile stays so."""
    found = read(paths, name)
    if found.doing is not None:
        _write(paths, name, found.model_copy(update={"doing": None}))


def forget(paths: Paths, name: str) -> None:
    """The agent is gone: nothing is meant any more."""
    files.remove(paths.intent(name))


def needs_update(intent: Intent, commit: str | None, base: str | None) -> bool:
    """Whether a rebuild would change something: applied `main` or the base flake is not what was built last.

    Unknown on either side counts as no: a row does not ask for work on a guess.
    """
    if intent.built is None or commit is None or base is None:
        return False
    return (intent.built.commit, intent.built.base) != (commit, base)


def names_with_intent(paths: Paths) -> tuple[str, ...]:
    """The valid names that have an intent, sorted."""
    found = (path.stem for path in paths.intent("x").parent.glob("*.json"))
    return tuple(sorted(name for name in found if problem(name) is None))


def _write(paths: Paths, name: str, intent: Intent) -> None:
    files.make_directory(paths.intent(name).parent)
    files.replace(paths.intent(name), intent.model_dump_json().encode() + b"\n")
