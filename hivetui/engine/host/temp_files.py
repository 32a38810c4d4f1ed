"""The temporary files of atomic writes, each named after the process that writes it: `.FILE.PID-RANDOM.tmp`.

A process that is killed between writing and renaming leaves one. Its name tells whether it can still be renamed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from hivetui.engine.host.procfs import process_stat

SUFFIX = ".tmp"
_NAME = re.compile(r"\..+\.(?:([0-9]+)-)?[a-z0-9_]+\.tmp", re.ASCII)
_MAX_FILE_NAME = 100
_WRITE_SECONDS = 3600.0
"""Nobody writes longer at one without the number of a process, as earlier versions named them."""
_ROUNDING_SECONDS = 1.0
"""The start of a process is known in clock ticks, and the time of a file by another clock."""


def prefix_of(path: Path) -> str:
    """How the name begins of a temporary file that is to replace `path`."""
    return f".{path.name[:_MAX_FILE_NAME]}.{os.getpid()}-"


def find_stale(folders: Iterable[Path]) -> tuple[Path, ...]:
    """The temporary files directly in these directories whose writer is no more.

    Directories may be missing, or closed to this user, who could remove nothing there either.
    """
    return tuple(path for folder in folders for path in _list(folder) if _is_stale(path))


def _list(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder) if name.endswith(SUFFIX)]  # noqa: PTH208  (much faster)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _is_stale(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return False
    try:
        age = time.time() - path.lstat().st_mtime
    except (FileNotFoundError, PermissionError):
        return False
    writer = None if match[1] is None else process_stat(int(match[1]))
    if match[1] is not None and (writer is None or not writer.is_running):
        return True
    # Another process may have its number by now. A clock may be set forward, so only a file that is much older counts.
    return age > _WRITE_SECONDS and (writer is None or writer.age + _ROUNDING_SECONDS < age)
