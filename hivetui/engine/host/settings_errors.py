"""The error for a wrong setting: which key on which line, and the nearest known key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic_core import ErrorDetails

from hivetui.engine.model.errors import BadConfiguration
from hivetui.engine.model.settings import Section, Settings

Key = tuple[str, ...]


def settings_error(source: str, details: ErrorDetails) -> BadConfiguration:
    """The error for what pydantic reports about `source`, a file with its line or an environment variable."""
    key = key_of(details)
    name = ".".join(key)
    if details["type"] == "extra_forbidden":
        return BadConfiguration(f"{source}: {name} is not a setting", *_suggest(key))
    why = details["msg"].removeprefix("Value error, ")
    fix = f"Set {name} to a valid value, or remove it to get the default."
    return BadConfiguration(f"{source}: {name} = {str(details['input'])[:60]!r} is not valid", why, fix)


def key_of(details: ErrorDetails) -> Key:
    """The key that a validation error is about."""
    return tuple(str(part) for part in details["loc"] if part != "[key]")


def line_of(text: str, key: Key) -> int | None:
    """The line, counted from 1, that first sets the deepest part of `key` that occurs in the TOML `text`.

    It parses ever longer prefixes of the text, so it is right however the key is written.
    """
    lines = text.splitlines(keepends=True)
    table = tomllib.loads(text)
    present = next((key[:n] for n in range(len(key), 0, -1) if _has(table, key[:n])), None)
    if present is None:
        return None
    line = 1  # a value over several lines parses at its last one; it started on the line after the last that parsed
    for count in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if _has(table, present):
            return line
        line = count + 1
    return None


def _has(table: Any, key: Key) -> bool:
    for part in key:
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True


def _suggest(key: Key) -> tuple[str, str]:
    """Reason and fix for an unknown key: the nearest key of its own table, else the nearest of all."""
    *table, last = key
    known = list(_keys_of(tuple(table)))
    if near := difflib.get_close_matches(last, known, 1):
        return f"The nearest known key is {'.'.join((*table, near[0]))}.", f"Replace {last} by {near[0]}."
    by_last_part = {dotted.rpartition(".")[2]: dotted for dotted in _dotted_keys()}
    if near := difflib.get_close_matches(last, list(by_last_part), 1):
        dotted = by_last_part[near[0]]
        return f"The nearest known key is {dotted}.", f"Write it as {dotted}, or remove it."
    return f"Known keys here: {', '.join(known)}.", "Remove it, or use one of these."


def _keys_of(table: Key, section: type[Section] = Settings) -> Iterator[str]:
    """The known keys of a table."""
    for part in table:
        if part in section.model_fields:
            section = _section_in(section.model_fields[part].annotation) or section
    yield from _names_of(section)


def _names_of(section: type[Section]) -> list[str]:
    """The keys as they are written; one that is a keyword of Python has another name in the code."""
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_in(annotation: Any) -> type[Section] | None:
    """The section in the annotation of a field, also inside dict[str, …]."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, Section) else None
    inner = (_section_in(argument) for argument in get_args(annotation))
    return next((section for section in inner if section), None)


def _dotted_keys() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        yield name
        section = _section_in(field.annotation)
        yield from (f"{name}.{key}" for key in (_names_of(section) if section else ()))
