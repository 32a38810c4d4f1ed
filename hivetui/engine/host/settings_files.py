"""How files and the environment become one checked `Settings`.

Order, later wins key by key: the host's file, the user's file, the file named with --config, the environment
(`HIVETUI_HIVE__FLAKE`: section, two underscores, key). Each source is checked alone, so that an error can name its
file, its line and the nearest known key.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hivetui.engine.host import settings_sources
from hivetui.engine.model.errors import BadConfiguration, NotAllowed
from hivetui.engine.model.settings import Section, Settings

_NAMED_TABLES = ("agents", "hosts")  # their second part is a name and keeps its case

Table = dict[str, Any]
Key = tuple[str, ...]


def load(
    environment: Mapping[str, str], explicit: Path | None = None, host_file: Path = settings_sources.HOST_FILE
) -> Settings:
    """The settings of this process; BadConfiguration or NotAllowed says which source is wrong and where."""
    tables = [_read(path) for path in settings_sources.files(environment, host_file)]
    if explicit is not None:
        tables.append(_read(explicit))
    tables.append(_from_environment(environment))
    merged: Table = {}
    for table in tables:
        merged = _merge(merged, table)
    return Settings.model_validate(merged, strict=False)


def _read(path: Path) -> Table:
    text = _text_of(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"line (\d+)", str(error))
        line = where[1] if where else len(text.splitlines())  # without one, the text ended too early
        raise BadConfiguration(f"{path}:{line} is not TOML", str(error), "Mend that line.") from error
    _check(table, str(path), text)
    return {key: _frozen(value) for key, value in table.items()}


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except PermissionError as error:
        raise NotAllowed(f"{path} cannot be read", error.strerror or "", "Make it readable for this user.") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise BadConfiguration(f"{path} cannot be read", why, "Name a file that is there with --config.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadConfiguration(f"{path}:{line} is not UTF-8", error.reason, "Save the file as UTF-8.") from error


def _frozen(value: Any) -> Any:
    """Arrays as tuples, which is what the settings hold."""
    if isinstance(value, dict):
        return {key: _frozen(inner) for key, inner in value.items()}
    return tuple(_frozen(inner) for inner in value) if isinstance(value, list) else value


def _merge(under: Table, over: Table) -> Table:
    both = dict(under)
    for key, value in over.items():
        old = both.get(key)
        both[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def _check(table: Table, source: str, text: str) -> None:
    try:
        Settings.model_validate(_frozen(table))
    except ValidationError as error:
        details = error.errors()[0]
        key = _key_of(details)
        line = line_of(text, key)
        raise _wrong(f"{source}:{line}" if line else source, key, details) from error


def _key_of(details: ErrorDetails) -> Key:
    return tuple(str(part) for part in details["loc"] if part != "[key]")


def _wrong(where: str, key: Key, details: ErrorDetails) -> BadConfiguration:
    name = ".".join(key)
    if details["type"] == "extra_forbidden":
        return BadConfiguration(f"{where}: {name} is not a setting", *_nearest(key))
    why = "This key has to be there." if details["type"] == "missing" else details["msg"].removeprefix("Value error, ")
    fix = f"Set {name} to a value that fits, or leave it out for the default."
    return BadConfiguration(f"{where}: {name} = {str(details['input'])[:60]!r} does not fit", why, fix)


def _nearest(key: Key) -> tuple[str, str]:
    """Why and fix for an unknown key: the nearest in its own table, else the nearest of all."""
    *table, last = key
    known = list(_fields(tuple(table)))
    near = difflib.get_close_matches(last, known, 1)
    if near:
        return f"The nearest known key is {'.'.join((*table, near[0]))}.", f"Write {near[0]} in place of {last}."
    anywhere = {dotted.rpartition(".")[2]: dotted for dotted in _dotted_keys()}
    if far := difflib.get_close_matches(last, list(anywhere), 1):
        return f"The nearest known key is {anywhere[far[0]]}.", f"Write it as {anywhere[far[0]]}, or take it out."
    return f"Known keys here: {', '.join(known)}.", "Take it out, or write one of these."


def _fields(table: Key, section: type[Section] = Settings) -> Iterator[str]:
    """The known keys of a table."""
    for part in table:
        if part in section.model_fields:
            annotation = section.model_fields[part].annotation
            section = _section_in(annotation) or section
    yield from section.model_fields


def _section_in(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, Section) else None
    inner = (_section_in(argument) for argument in get_args(annotation))
    return next((section for section in inner if section), None)


def _dotted_keys() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        yield name
        section = _section_in(field.annotation)
        yield from (f"{name}.{key}" for key in (section.model_fields if section else ()))


def line_of(text: str, key: Key) -> int | None:
    """The line, counted from 1, on which the deepest part of `key` that the text has is first said.

    It reads ever longer beginnings of the text, so it is right whatever way the key is spelled.
    """
    lines = text.splitlines(keepends=True)
    whole = tomllib.loads(text)
    present = next((key[:n] for n in range(len(key), 0, -1) if _has(whole, key[:n])), None)
    if present is None:
        return None
    said = 1  # a value over several lines parses at its last one; the line after the last that parsed began it
    for count in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if _has(table, present):
            return said
        said = count + 1
    return None


def _has(table: Any, key: Key) -> bool:
    for part in key:
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True


def _from_environment(environment: Mapping[str, str]) -> Table:
    merged: Table = {}
    for variable, parts in settings_sources.variables(environment).items():
        merged = _merge(merged, _from_variable(variable, parts, environment[variable]))
    return merged


def _from_variable(variable: str, parts: Key, value: str) -> Table:
    """A variable as a table. Its text is taken for what the setting holds: "7000" for a number, "true", "a,b"."""
    key = _key_of_variable(parts)
    table = _nested(key, _list_of(value) if key == ("console", "columns") else value)
    try:
        Settings.model_validate(table, strict=False)
    except ValidationError as error:
        details = error.errors()[0]
        raise _wrong(f"environment variable {variable}", _key_of(details), details) from error
    return table


def _key_of_variable(parts: Key) -> Key:
    named = parts[0].lower() in _NAMED_TABLES
    return tuple(part if named and index == 1 else part.lower() for index, part in enumerate(parts))


def _list_of(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _nested(key: Sequence[str], value: Any) -> Table:
    return {key[0]: value if len(key) == 1 else _nested(key[1:], value)}
