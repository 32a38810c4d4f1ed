"""Nix's machine-readable log, `--log-format internal-json`: lines `@nix {…}` as events, and as text like nix's own.

Every nix that has flakes writes it. The numbers are those of `ActivityType`, `ResultType` and `Verbosity` in nix's
logging.hh, and the text is that of `--print-build-logs` into a pipe (progress-bar.cc).

All of it is hostile. A builder's output arrives inside of events, so a line of it can be no event itself; but nix obeys
a builder that asks for a phase, a message of any level or a download, whose names and numbers are then invented. They
are shown, and nothing else depends on them. Such a message is never an error of nix (`is_error`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from hivetui.engine.model.text import show_bytes

COPY_PATH, FILE_TRANSFER, COPY_PATHS, BUILDS, BUILD = 100, 101, 103, 104, 105
SUBSTITUTE, POST_BUILD_HOOK, BUILD_WAITING = 108, 110, 111
BUILD_LOG_LINE, SET_PHASE, PROGRESS, SET_EXPECTED, POST_BUILD_LOG_LINE = 101, 104, 105, 106, 107
_ERROR, _INFO = 0, 3
_PREFIX = "@nix "
_HEAD = 16
"""So many times as much as is shown of a text is searched for something to show."""
_LARGEST = 1 << 53
"""A number beyond this was invented; JSON of other languages cannot hold it either."""
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[@-_])?|[\r\a]")
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_CUT_TEXT = re.compile(r'"(?:fields|msg|text)": ?\[?"([^"\\]*(?:\\.[^"\\]*)*)')
_CUT_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,3}\Z")
_VERSION = re.compile(r"-[^a-zA-Z]")

Field = str | int


class Message(NamedTuple):
    """A message; `raw` is that of an error by itself, None unless nix reports an error of its own."""

    level: int
    text: str
    raw: str | None = None


class Started(NamedTuple):
    """An activity begins."""

    activity: int
    kind: int
    level: int
    text: str
    fields: tuple[Field, ...]


class Stopped(NamedTuple):
    """An activity has ended."""

    activity: int


class Result(NamedTuple):
    """Something that an activity reports."""

    activity: int
    kind: int
    fields: tuple[Field, ...]


class Text(NamedTuple):
    """A line that is no event, exactly as it was."""

    text: str


Event = Message | Started | Stopped | Result | Text


def parse_line(line: str) -> Event:
    """The event of one line; never fails."""
    if not line.startswith(_PREFIX):
        return Text(line)
    try:
        content = json.loads(line[len(_PREFIX) :])
    except (ValueError, RecursionError):
        return Text(_salvage(line))
    event = _event(content) if isinstance(content, dict) else None
    return event if event is not None else Text(line)


def text_of(event: Event, name: str) -> Iterator[str]:
    """The lines that nix would print for an event, of which those of a builder begin with the `name` of what is built.

    Escape sequences are removed, as nix does it where it does not write to a terminal.
    """
    match event:
        case Text(text):
            yield text
        case Message(_, text):
            yield from map(_plain, text.split("\n"))
        case Started(_, kind, level, text) if level <= _INFO and text and kind != BUILD_WAITING:
            yield from map(_plain, f"{text}...".split("\n"))
        case Result(_, kind, (str(line), *_)) if kind in (BUILD_LOG_LINE, POST_BUILD_LOG_LINE):
            mark = "> " if kind == BUILD_LOG_LINE else " (post)> "
            if line := line.rstrip("\n\r"):
                yield _plain(f"{name}{mark}{line}")


def is_error(event: Event) -> bool:
    """Whether nix reports an error of its own; a message of the same level may be that of `builtins.trace`."""
    return isinstance(event, Message) and event.level == _ERROR and event.raw is not None


def derivation_name(path: str) -> str:
    """The name in the path of a derivation, without the hash."""
    return _plain(path.rpartition("/")[2].partition("-")[2].removesuffix(".drv"))


def log_prefix(name: str) -> str:
    """The name of a derivation without the version, with which nix begins the lines of its builder (`DrvName`)."""
    version = _VERSION.search(name)
    return name[: version.start()] if version else name


def first_line(text: str, limit: int) -> str:
    """The first line of a text that says something, without escape sequences, cut."""
    head = show_bytes(text[: _HEAD * limit])
    return next((line for part in head.split("\n") if (line := _plain(part).strip())), "")[:limit]


def _event(content: dict[str, Any]) -> Event | None:
    activity = _number(content.get("id"))
    match content.get("action"):
        case "msg" if isinstance(text := content.get("msg"), str):
            raw = content.get("raw_msg")
            level = _number(content.get("level"), _INFO)
            return Message(level, _decodable(text), _decodable(raw) if isinstance(raw, str) else None)
        case "start":
            level, kind, text = _number(content.get("level"), _INFO), _number(content.get("type")), content.get("text")
            text = _decodable(text) if isinstance(text, str) else ""
            return Started(activity, kind, level, text, _fields(content))
        case "stop":
            return Stopped(activity)
        case "result":
            return Result(activity, _number(content.get("type")), _fields(content))
    return None


def _fields(content: dict[str, Any]) -> tuple[Field, ...]:
    """The fields; where one is neither text nor a number it is "", since their places tell what they are."""
    fields = content.get("fields")
    if not isinstance(fields, list):
        return ()
    return tuple(_decodable(field) if isinstance(field, str) else _number(field) for field in fields[:8])


def _number(value: object, otherwise: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        return otherwise
    return value


def clamp(number: int) -> int:
    """A count that can be one."""
    return max(0, min(number, _LARGEST))


def _salvage(line: str) -> str:
    """What can be read of an event that was cut: its text, which may be as long as a builder likes."""
    found = _CUT_TEXT.search(line)
    if found is None:
        return line
    try:
        text = json.loads(f'"{_CUT_ESCAPE.sub("", found[1])}"', strict=False)
    except ValueError:  # an escape that JSON does not have
        return line
    return _plain(_decodable(text).replace("\n", " "))


def _plain(text: str) -> str:
    return _ANSI.sub("", text).expandtabs(8)


def _decodable(text: str) -> str:
    """Without the lone surrogates that stand for no byte, which JSON can name and UTF-8 cannot write."""
    return _NO_BYTE.sub("\ufffd", text)
