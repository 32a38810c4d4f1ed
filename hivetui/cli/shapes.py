"""Values of the engine in the shapes that JSON has for them. Pure."""

from __future__ import annotations

from hivetui.engine.model.agents import Agent
from hivetui.engine.model.base import Model
from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.warnings import HiveWarning

from .output import Json


def as_json(model: Model) -> Json:
    """A value of the engine as JSON; a warning has a port only where it is about one."""
    found: Json = model.model_dump(mode="json")
    if isinstance(model, HiveWarning):
        return _without_empty_port(found)
    if isinstance(model, Agent):
        found["warnings"] = [_without_empty_port(warning) for warning in found["warnings"]]
    return found


def _without_empty_port(warning: Json) -> Json:
    return {key: value for key, value in warning.items() if key != "port" or value is not None}


def line_json(line: LogLine) -> Json:
    """A line of a log; its bytes that are no UTF-8 are shown escaped, for JSON has no bytes."""
    text = line.text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    stamp = line.time.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"time": stamp, "agent": line.agent, "stream": line.stream, "text": text}
