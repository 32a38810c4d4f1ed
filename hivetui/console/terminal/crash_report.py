"""The report of a bug that ended the console: three lines for the operator and a file with the traceback.

The traceback is written without the values of variables, which may hold an agent's text or a secret.
"""

from __future__ import annotations

import os
import platform
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from hivetui import __version__
from hivetui.engine.model.text import safe, safe_lines
from hivetui.engine.model.times import format_for_name, format_iso

_KEPT_FILES = 20


def report_directory(environment: Mapping[str, str]) -> Path:
    """Where the files are (XDG Base Directory: a relative XDG_STATE_HOME counts as unset)."""
    state = Path(environment.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = Path(environment.get("HOME") or "/") / ".local/state"
    return state / "hivetui"


def write_report(error: BaseException, environment: Mapping[str, str]) -> list[str]:
    """Write the file; returns what happened, why the hive is not affected, and where the file is."""
    what = f"A bug ended the console: {type(error).__name__}: {safe(str(error), 300)}"
    why = "The hive is unchanged, and operations keep running: hivetui operations"
    directory = report_directory(environment)
    try:
        return [what, why, f"Send this file to the developers of hivetui: {_write(error, directory)}"]
    except OSError as failure:
        reason = failure.strerror or failure
        return [what, why, f"The traceback could not be written to {safe(str(directory))}: {reason}"]


def _write(error: BaseException, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in sorted(directory.glob("bug-*.log"))[: -_KEPT_FILES + 1]:
        old.unlink(missing_ok=True)
    now = datetime.now(UTC)
    path = directory / f"bug-{format_for_name(now)}-{os.getpid()}.log"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(
            f"hivetui {__version__}, Python {sys.version.split()[0]}, {platform.platform()}, {format_iso(now)}\n\n"
        )
        file.writelines(f"{line}\n" for line in _traceback_lines(error))
    return path


def _traceback_lines(error: BaseException) -> list[str]:
    text = "".join(traceback.format_exception(error))
    return [line for part in text.splitlines() for line in safe_lines(part)]
