"""JSON and TOML in the stand-in for nix; what the language cannot hold is refused, and not met by a later function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hivetui.embedded.nix.values import NixError, Value, expect


def read_json(text: Value) -> Value:
    """What `fromJSON` makes of a text."""
    try:
        return _parse_json(expect(text, str))
    except (ValueError, RecursionError) as failure:
        raise NixError(f"cannot read JSON: {failure}") from failure


def read_toml(text: Value) -> Value:
    """What `fromTOML` makes of a text."""
    import tomllib  # few modules need it

    try:
        return _parse_json(json.dumps(tomllib.loads(expect(text, str)), allow_nan=False))  # refuses times, as nix does
    except (ValueError, TypeError, RecursionError) as failure:
        raise NixError(f"cannot read TOML: {failure}") from failure


def _parse_json(text: str) -> Value:
    """The value of JSON, if the language has it: ValueError for a longer integer, half a surrogate pair, or a NUL."""
    found = json.loads(text, parse_constant=_no_constant, parse_int=_read_integer)
    if "\\u" in text and b"\0" in "".join(_texts_in(found)).encode("utf-8", "surrogateescape"):
        raise ValueError("a string has a NUL")
    return found


def _texts_in(value: Value) -> Iterator[str]:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            waiting += [*found, *found.values()]
        elif isinstance(found, list):
            waiting += found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _read_integer(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{digits} is not in the range of integers")
    return number
