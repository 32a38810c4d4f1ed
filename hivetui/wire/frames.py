"""Frames: one JSON object a line, encoded and decoded, with their limits."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from hivetui.engine.model.errors import BadData
from hivetui.engine.model.text import exact_bytes, show_bytes

Json = dict[str, Any]

MAX_REQUEST_BYTES = 1 << 20
"""A line that a client sends, with its line end."""
MAX_ANSWER_BYTES = 64 << 20
"""A line that a client accepts: a list of everything in a large hive is one answer."""
BATCH_BYTES = 64 << 10
"""Lines of logs and entries of operations are sent in frames of about this size."""
_MAX_DIGITS = 20
_SEPARATORS = (",", ":")


def encode(content: Json) -> bytes:
    """One line. Text with bytes that are not UTF-8 shows tokens for them, and has the bytes beside it in base64."""
    line = json.dumps(content, separators=_SEPARATORS)
    if r"\ud" in line:  # perhaps a lone surrogate, which stands for a byte that is not UTF-8
        line = json.dumps(add_exact_bytes(content), separators=_SEPARATORS)
    return line.encode("ascii") + b"\n"


def decode(line: bytes) -> Json:
    """The object of a line; BadData for anything else."""
    return _decode(line, None)


def decode_request(line: bytes) -> Json:
    """The object of a line that asks for something: as `decode`, and BadData for a member that is given twice."""
    return _decode(line, _unique_members)


def _decode(line: bytes, make_object: Callable[[list[tuple[str, Any]]], Json] | None) -> Json:
    try:
        content = json.loads(
            line.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            object_pairs_hook=make_object,
        )
    except (ValueError, RecursionError) as error:
        raise _unreadable(_describe(error)) from error
    if not isinstance(content, dict):
        raise _unreadable("It is JSON, but not an object.")
    return content


def add_exact_bytes(content: Json) -> Json:
    """The same with tokens for bytes that are not UTF-8, and beside each such text NAME the bytes as NAME_base64."""
    exact: Json = {}
    for key, value in content.items():
        exact[key] = _escape(value)
        if isinstance(value, str) and (raw := exact_bytes(value)) is not None:
            exact[f"{key}_base64"] = base64.b64encode(raw).decode("ascii")
    return exact


def restore_exact_bytes(content: object) -> object:
    """What `add_exact_bytes` was given: text in which lone surrogates stand for the bytes that are not UTF-8."""
    if isinstance(content, list):
        return [restore_exact_bytes(part) for part in content]
    if not isinstance(content, dict):
        return content
    restored = {key: restore_exact_bytes(value) for key, value in content.items()}
    for key in [key for key in restored if key.endswith("_base64") and key.removesuffix("_base64") in restored]:
        exact = base64.b64decode(str(restored.pop(key)))
        restored[key.removesuffix("_base64")] = exact.decode("utf-8", "surrogateescape")
    return restored


def _escape(value: object) -> object:
    match value:
        case str():
            return show_bytes(value)
        case dict():
            return add_exact_bytes(value)
        case list() | tuple():
            return [_escape(part) for part in value]
    return value


class LongNumber:
    """A number with more digits than any that is used here: the check of every member refuses it."""

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def __repr__(self) -> str:
        return f"{self._digits[:20]}… ({len(self._digits)} digits)"


def _parse_int(digits: str) -> Any:
    """Python refuses numbers of more than 4300 digits in words of its own, and takes long for shorter ones."""
    return int(digits) if len(digits) <= _MAX_DIGITS else LongNumber(digits)


def _unique_members(pairs: list[tuple[str, Any]]) -> Json:
    """Which of two was meant is not known, and one of them could approve what was not read."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is given twice")
    return members


def _describe(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "It is not UTF-8."
    return f"{error}." if isinstance(error, ValueError) else "It is nested too deeply."


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _unreadable(why: str) -> BadData:
    return BadData("The request could not be read", why, "Send one JSON object a line, in UTF-8.")
