"""Errors as JSON, and back: a client raises what the engine raised."""

from __future__ import annotations

from hivetui.engine.model import errors
from hivetui.engine.model.errors import HiveError
from hivetui.wire.frames import Json

_CLASSES: dict[str, type[HiveError]] = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, HiveError)
}
_BY_CODE: dict[int, type[HiveError]] = {
    kind.code: kind
    for kind in (
        errors.OperationFailed,
        errors.WrongUsage,
        errors.BadData,
        errors.NotFound,
        errors.Unavailable,
        errors.CannotCreate,
        errors.TryAgain,
        errors.NotAllowed,
        errors.BadConfiguration,
        errors.Interrupted,
    )
}


def to_json(error: HiveError) -> Json:
    """An error in the shape of interface.md, with the name of its class as `kind`."""
    return {
        "code": error.code,
        "what": error.what,
        "why": error.why or None,
        "fix": error.fix or None,
        "kind": type(error).__name__,
    }


def from_json(content: Json) -> HiveError:
    """The error that a peer sent; a kind that this version does not know is told apart by its code only."""
    code = content.get("code")
    kind = _CLASSES.get(str(content.get("kind")))
    if kind is None or kind.code != code:
        kind = _BY_CODE.get(code, errors.Unavailable) if isinstance(code, int) else errors.Unavailable
    return kind(*(str(content.get(part) or "") for part in ("what", "why", "fix")))
