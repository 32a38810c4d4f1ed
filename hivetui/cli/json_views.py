"""Values of the engine in the JSON shapes of interface.md. Pure."""

from __future__ import annotations

from hivetui.cli.output import Json
from hivetui.engine.model.agents import Agent
from hivetui.engine.model.base import Model
from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Deployment, Proposal
from hivetui.engine.model.review import Review
from hivetui.engine.model.times import format_iso
from hivetui.engine.model.warnings import HiveWarning

_NOT_SHOWN: dict[type[Model], set[str]] = {Operation: {"rollback_failed"}}
"""Fields that the model has and interface.md does not."""


def to_json(model: Model) -> Json:
    """A value of the engine as JSON; a warning has the key `port` only where it is about a port."""
    content: Json = model.model_dump(mode="json", exclude=_NOT_SHOWN.get(type(model)))
    if isinstance(model, HiveWarning):
        return _without_empty_port(content)
    if isinstance(model, (Proposal, Deployment, Operation)):
        return _with_nulls(content)
    if isinstance(model, Review):
        content["taken_back"] = content.pop("reverts")  # the public name
        content["proposal"] = _with_nulls(content["proposal"])
    if isinstance(model, Agent):
        content["warnings"] = [_without_empty_port(warning) for warning in content["warnings"]]
    return content


def _with_nulls(content: Json) -> Json:
    """What was not given is null everywhere: a record keeps a note or a description that is empty as ""."""
    return {key: None if value == "" else value for key, value in content.items()}


def _without_empty_port(warning: Json) -> Json:
    return {key: value for key, value in warning.items() if key != "port" or value is not None}


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
