"""The steps of operations: their names in records, their order, and their labels on screens.

The names are part of the record's format on disk and of `operations --json`; only labels may change.
"""

from __future__ import annotations

from enum import StrEnum

from hivetui.engine.model.operations import OperationKind


class StepName(StrEnum):
    """A step as a record names it."""

    BUILD = "build"
    CHECK = "check"
    CLAIM = "claim"
    CONFIGURE = "configure"
    CREATE = "create"
    DESTROY = "destroy"
    END = "end"
    EVALUATE = "evaluate"
    HEALTH = "health"
    MAIN = "main"
    META = "meta"
    RECORD = "record"
    REPOS = "repos"
    RESTORE = "put back"
    START = "start"
    STOP = "stop"
    SWITCH = "switch"
    UNCHANGED = "no change"
    UNDO_SPAWN = "take back"
    WIPE = "wipe"


_S = StepName
DEPLOY_STEPS = (_S.CLAIM, _S.RECORD, _S.BUILD, _S.STOP, _S.SWITCH, _S.HEALTH, _S.META, _S.MAIN, _S.END)
"""The steps of a deploy, in order; the docstring of `engine.deploy` says what each writes."""
STEPS: dict[OperationKind, tuple[StepName, ...]] = {
    OperationKind.DEPLOY: DEPLOY_STEPS,
    OperationKind.ROLLBACK: DEPLOY_STEPS,
    OperationKind.REBUILD: (_S.META, _S.BUILD, _S.CONFIGURE, _S.STOP, _S.SWITCH, _S.START),
    OperationKind.SPAWN: (_S.CHECK, _S.REPOS, _S.META, _S.BUILD, _S.CREATE, _S.CONFIGURE, _S.START),
    OperationKind.RESTART: (_S.STOP, _S.START),
    OperationKind.PREVIEW: (_S.EVALUATE, _S.BUILD),
}
"""The steps of each kind when nothing fails; any other step undoes what failed.

A deploy or rebuild of the very system that runs has the step `UNCHANGED` in place of those that restart the container.
"""
UNDO_STEPS = frozenset({_S.RESTORE, _S.UNDO_SPAWN})
"""The steps that undo what a failed one did."""
_LABELS = {
    _S.CLAIM: "lock",
    _S.MAIN: "update main",
    _S.END: "finish",
    _S.RESTORE: "restore previous",
    _S.UNDO_SPAWN: "undo spawn",
}


def label(name: str) -> str:
    """The label of a step on screens; a name that this version does not know is its own label."""
    return _LABELS.get(name, name)  # type: ignore[call-overload, no-any-return]
