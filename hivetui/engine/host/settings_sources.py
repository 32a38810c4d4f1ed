"""Which files and environment variables hold settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HOST_FILE = Path("/etc/hivetui/config.toml")
_PREFIX = "HIVETUI_"


def user_file(environment: Mapping[str, str]) -> Path:
    """The user's own file (XDG Base Directory Specification: a relative XDG_CONFIG_HOME counts as unset)."""
    directory = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not directory.is_absolute():
        directory = Path(environment.get("HOME") or "/") / ".config"
    return directory / "hivetui/config.toml"


def variables(environment: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The variables that are settings, each split into section, key and so on as they are written."""
    names = (name for name in sorted(environment) if name.startswith(_PREFIX) and "__" in name)
    return {name: tuple(name.removeprefix(_PREFIX).split("__")) for name in names}


def files(environment: Mapping[str, str], host_file: Path = HOST_FILE) -> list[Path]:
    """The settings files that exist, in the order in which they are read."""
    return [path for path in (host_file, user_file(environment)) if _exists(path)]


def _exists(path: Path) -> bool:
    """Whether to read a file that need not exist; one that cannot be examined is read, which then raises the reason."""
    try:
        return path.exists()
    except OSError:
        return True
