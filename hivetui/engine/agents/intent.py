"""The intent of an agent: whether it should run, which operation is at work on it, and what it was last built from.

It is a small JSON file for each agent, outside of every repo and container. It records what was wanted; the actual
state is in the unit, the profile and the tags. A damaged file counts as missing: the agent is then not started after a
reboot, an interrupted operation on it is not settled, and its row does not say that a rebuild would change something.
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
    """What an agent's system was built from: its commit and the revision of the base flake; and its store path."""

    commit: str
    base: str
    system: str


class Intent(Model):
    """The content of the file. `doing` is the operation at work on the container, or one that a kill interrupted."""

    wanted: Wanted = Wanted.STOPPED
    doing: OperationKind | None = None
    built: Built | None = None


def read(paths: Paths, name: str) -> Intent:
    """The agent's intent; the default one when there is no file, or a damaged one."""
    try:
        return Intent.model_validate_json(paths.intent(name).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return Intent()


def set_wanted(paths: Paths, name: str, wanted: Wanted) -> None:
    """Record what the operator asked for."""
    _write(paths, name, read(paths, name).model_copy(update={"wanted": wanted}))


def set_built(paths: Paths, name: str, built: Built) -> None:
    """Record what the agent's system was built from."""
    _write(paths, name, read(paths, name).model_copy(update={"built": built}))


@contextmanager
def in_progress(paths: Paths, name: str, kind: OperationKind) -> Iterator[None]:
    """Record, durably and for the block, that this kind of operation is at work on the agent's container.

    After a kill, repair settles what it finds recorded. A block that fails has undone what it did, so the record is
    removed too, unless it raises RollbackFailed.
    """
    _write(paths, name, read(paths, name).model_copy(update={"doing": kind}))
    try:
        yield
    except RollbackFailed:
        raise
    except BaseException:
        with suppress(
            HiveError
        ):  # on a full disk: the failure of the block matters more, and repair settles the record
            clear_in_progress(paths, name)
        raise
    clear_in_progress(paths, name)


def clear_in_progress(paths: Paths, name: str) -> None:
    """Remove that record. The file of an agent that was purged meanwhile is not written again."""
    intent = read(paths, name)
    if intent.doing is not None:
        _write(paths, name, intent.model_copy(update={"doing": None}))


def forget(paths: Paths, name: str) -> None:
    """Remove the intent of an agent that was purged or never came to be."""
    files.remove(paths.intent(name))


def needs_update(intent: Intent, commit: str | None, base: str | None) -> bool:
    """Whether a rebuild would change the agent: applied `main` (`commit`) or the base flake has moved since the last.

    What is unknown on either side (None) counts as unchanged.
    """
    if intent.built is None or commit is None or base is None:
        return False
    return (intent.built.commit, intent.built.base) != (commit, base)


def names_with_intent(paths: Paths) -> tuple[str, ...]:
    """The valid names that have an intent, sorted."""
    stems = (path.stem for path in paths.intent("x").parent.glob("*.json"))
    return tuple(sorted(name for name in stems if problem(name) is None))


def _write(paths: Paths, name: str, intent: Intent) -> None:
    files.make_directory(paths.intent(name).parent)
    files.replace(paths.intent(name), intent.model_dump_json().encode() + b"\n")
