"""Values of the engine in the JSON shapes of interface.md, and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import TypeVar, cast

from pydantic import ValidationError

from hivetui.engine.model.agents import Agent, BaseUpdate
from hivetui.engine.model.base import Model
from hivetui.engine.model.effect import Effect
from hivetui.engine.model.errors import Unavailable
from hivetui.engine.model.findings import Assessment
from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.notes import PUBLIC_NAMES, GivenNote, LineNote
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Deployment, Proposal
from hivetui.engine.model.records import Problem, Verification
from hivetui.engine.model.review import Review
from hivetui.engine.model.times import format_iso
from hivetui.engine.model.warnings import Check, HiveWarning
from hivetui.wire.frames import Json, restore_exact_bytes

T = TypeVar("T", bound=Model)


def to_json(model: Model) -> Json:
    """A value of the engine as JSON; a warning has the key `port` only where it is about a port."""
    content: Json = model.model_dump(mode="json")
    if isinstance(model, HiveWarning):
        return _without_empty_port(content)
    if isinstance(model, (Proposal, Deployment, Operation, Check, BaseUpdate)):
        return _with_nulls(content)
    if isinstance(model, Verification):
        content["problems"] = [_with_nulls(problem) for problem in content["problems"]]
    if isinstance(model, Review):
        content["taken_back"] = content.pop("reverts")  # the public name
        content["proposal"] = _with_nulls(content["proposal"])
    if isinstance(model, Agent):
        content["warnings"] = [_without_empty_port(warning) for warning in content["warnings"]]
    return content


def from_json(kind: type[T], content: object) -> T:
    """The value that `to_json` made this of; Unavailable for anything else, as a newer engine could send."""
    content = restore_exact_bytes(content)
    if isinstance(content, dict) and kind is Review:
        content = {**content, "reverts": content.get("taken_back", [])}
        content["proposal"] = _with_empty_texts(Proposal, content.get("proposal"))
    if isinstance(content, dict) and kind is Verification:
        content = {**content, "problems": [_with_empty_texts(Problem, one) for one in content.get("problems", [])]}
    try:
        return kind.model_validate(_known(kind, _with_empty_texts(kind, content)))
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        fix = "Use a client and an engine of the same version."
        raise Unavailable(f"The engine sent a {kind.__name__} that is not understood here", why, fix) from error


def all_from_json(kind: type[T], content: Iterable[object]) -> tuple[T, ...]:
    """The values of a list."""
    return tuple(from_json(kind, one) for one in content)


def show_json(review: Review, assessment: Assessment | None, effect: Effect) -> Json:
    """What `show` prints: the proposal with its files and findings, and the review with the rules that ran."""
    fields = to_json(review)
    found: Json = {"findings": None}
    fields["rules"] = None
    if assessment is not None:
        found = to_json(assessment)
        fields["rules"] = {key: found.pop(key) for key in ("ran", "failed", "silenced")}
    found["effect"] = to_json(effect)
    return {"proposal": {**fields.pop("proposal"), "files": fields.pop("files"), **found}, "review": fields}


def notes_to_json(notes: Iterable[GivenNote]) -> list[Json | str]:
    """Notes on lines; a text stays one."""
    return [note if isinstance(note, str) else to_json(note) for note in notes]


def notes_from_json(content: Iterable[object]) -> tuple[GivenNote, ...]:
    """The notes that `notes_to_json` made this of, which has been checked."""
    return tuple(one if isinstance(one, str) else from_json(LineNote, one) for one in content)


def line_to_json(line: LogLine) -> Json:
    """A line of a log."""
    return {
        "time": format_iso(line.time, "microseconds"),
        "agent": line.agent,
        "stream": line.stream,
        "text": line.text,
        "priority": line.priority,
        "cursor": line.cursor,
    }


def line_from_json(content: Json) -> LogLine:
    """The line that `line_to_json` made this of."""
    if "text_base64" in content:
        content = cast(Json, restore_exact_bytes(content))
    return LogLine(
        datetime.fromisoformat(content["time"]),
        content["agent"],
        content["stream"],
        content["text"],
        content.get("priority"),
        content.get("cursor") or "",
    )


def _with_nulls(content: Json) -> Json:
    """What was not given is null everywhere: a record keeps a note or a description that is empty as ""."""
    return {key: None if value == "" else value for key, value in content.items()}


@cache
def _texts(kind: type[Model]) -> frozenset[str]:
    """The fields that are never None, and null in JSON when they are empty."""
    return frozenset(name for name, field in kind.model_fields.items() if field.annotation is str)


def _with_empty_texts(kind: type[Model], content: object) -> object:
    if not isinstance(content, dict):
        return content
    texts = _texts(kind)
    return {key: "" if value is None and key in texts else value for key, value in content.items()}


def _known(kind: type[Model], content: object) -> object:
    """Without the fields that only a newer engine has."""
    if not isinstance(content, dict):
        return content
    names = {*kind.model_fields, *(PUBLIC_NAMES.values() if issubclass(kind, LineNote) else ())}
    return {key: value for key, value in content.items() if key in names}


def _without_empty_port(warning: Json) -> Json:
    return {key: value for key, value in warning.items() if key != "port" or value is not None}
