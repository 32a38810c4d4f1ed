"""Where settings come from: which files, which variables. Standard library only, so that asking costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HOST_FILE = Path("/etc/hivetui/config.toml")
_PREFIX = "HIVETUI_"


def user_file(environment: Mapping[str, str]) -> Path:
    """The user's own file (XDG Base Directory: a relative XDG_CONFIG_HOME counts as unset)."""
    folder = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():
        folder = Path(environment.get("HOME") or "/") / ".config"
    return folder / "hivetui/config.toml"


def variables(environment: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The variables that are settings, each with section, key and so on as they are spelled there."""
    found = (name for name in sorted(environment) if name.startswith(_PREFIX) and "__" in name)
    return {name: tuple(name.removeprefix(_PREFIX).split("__")) for name in found}


def files(environment: Mapping[str, str], host_file: Path = HOST_FILE) -> list[Path]:
    """The files that are there, in the order in which they are read."""
    return [path for path in (host_file, user_file(environment)) if _is_there(path)]


def anything(environment: Mapping[str, str]) -> bool:
    """Whether there is any setting but the defaults."""
    return bool(files(environment) or variables(environment))


def _is_there(path: Path) -> bool:
    """Whether to read a file that need not exist; one that cannot be looked at is read, and refused in words."""
    try:
        return path.exists()
    except OSError:
        return True
