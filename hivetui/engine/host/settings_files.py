"""Reading files and environment variables into one checked `Settings`.

Later sources win, key by key: the host's file, the user's file, the file named with --config, the environment
(`HIVETUI_HIVE__FLAKE`: section, two underscores, key). Each source is checked alone, so that an error can name its
file, its line and the nearest known key.

pydantic-settings is not used: it merges all sources before it checks them, so an error names neither file nor line; it
folds the case of `HIVETUI_AGENTS__Iris__…`; and its import takes more than twice as long as that of pydantic.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hivetui.engine.host import settings_sources
from hivetui.engine.host.settings_errors import Key, key_of, line_of, settings_error
from hivetui.engine.model.errors import BadConfiguration, NotAllowed
from hivetui.engine.model.settings import Settings

_NAMED_TABLES = (("agents",), ("hosts",), ("serve", "operators"))  # the part after these is a name and keeps its case
_LISTS = (("console", "columns"), ("review", "rules"))  # a variable has their values with commas
_LISTS_OF_OPERATORS = ("keys", "from")

Table = dict[str, Any]


def load(
    environment: Mapping[str, str], explicit: Path | None = None, host_file: Path = settings_sources.HOST_FILE
) -> Settings:
    """The settings of this process. BadConfiguration or NotAllowed names the source that is wrong, and where."""
    tables = [_read(path) for path in settings_sources.files(environment, host_file)]
    if explicit is not None:
        tables.append(_read(explicit))
    tables.append(_from_environment(environment))
    merged: Table = {}
    for table in tables:
        merged = _merge(merged, table)
    return Settings.model_validate(merged, strict=False)


def _read(path: Path) -> Table:
    text = _read_text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = re.search(r"line (\d+)", str(error))
        line = position[1] if position else len(text.splitlines())  # no position: the text ended too early
        raise BadConfiguration(f"{path}:{line} is not valid TOML", str(error), "Correct that line.") from error
    table = {key: _freeze(value) for key, value in table.items()}
    _check(table, path, text)
    return table


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except PermissionError as error:
        raise NotAllowed(f"{path} cannot be read", error.strerror or "", "Make it readable for this user.") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise BadConfiguration(f"{path} cannot be read", why, "Name an existing file with --config.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadConfiguration(f"{path}:{line} is not UTF-8", error.reason, "Save the file as UTF-8.") from error


def _freeze(value: Any) -> Any:
    """Turn arrays into tuples, which is what the settings hold."""
    if isinstance(value, dict):
        return {key: _freeze(inner) for key, inner in value.items()}
    return tuple(_freeze(inner) for inner in value) if isinstance(value, list) else value


def _merge(lower: Table, upper: Table) -> Table:
    merged = dict(lower)
    for key, value in upper.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _check(table: Table, path: Path, text: str) -> None:
    try:
        Settings.model_validate(table)
    except ValidationError as error:
        details = error.errors()[0]
        line = line_of(text, key_of(details))
        raise settings_error(f"{path}:{line}" if line else str(path), details) from error


def _from_environment(environment: Mapping[str, str]) -> Table:
    merged: Table = {}
    for variable, parts in settings_sources.variables(environment).items():
        merged = _merge(merged, _from_variable(variable, parts, environment[variable]))
    return merged


def _from_variable(variable: str, parts: Key, value: str) -> Table:
    """The table that a variable sets; its text is converted: "7000" a number, "true" a boolean, "a,b" a list."""
    key = _key_of_variable(parts)
    is_list = key in _LISTS or (key[:2] == ("serve", "operators") and key[-1] in _LISTS_OF_OPERATORS)
    table = _nest(key, _split(value) if is_list else value)
    try:
        Settings.model_validate(table, strict=False)
    except ValidationError as error:
        raise settings_error(f"environment variable {variable}", error.errors()[0]) from error
    return table


def _key_of_variable(parts: Key) -> Key:
    lower = tuple(part.lower() for part in parts)
    names = [len(table) for table in _NAMED_TABLES if lower[: len(table)] == table]
    return tuple(part if index in names else lower[index] for index, part in enumerate(parts))


def _split(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _nest(key: Sequence[str], value: Any) -> Table:
    return {key[0]: value if len(key) == 1 else _nest(key[1:], value)}
