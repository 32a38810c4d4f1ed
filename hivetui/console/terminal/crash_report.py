"""A bug ends the console with a few words, and with a file that tells the rest.

The file has the traceback without the values of variables: those may hold an agent's text, or a secret.
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

_KEPT = 20  # files


def folder(environment: Mapping[str, str]) -> Path:
    """Where the files are (XDG Base Directory: a relative XDG_STATE_HOME counts as unset)."""
    place = Path(environment.get("XDG_STATE_HOME", ""))
    if not place.is_absolute():
        place = Path(environment.get("HOME") or "/") / ".local/state"
    return place / "hivetui"


def report(error: BaseException, environment: Mapping[str, str]) -> list[str]:
    """Write the file; what happened, why it can be trusted that nothing else did, and where the file is."""
    what = f"A bug ended the console: {type(error).__name__}: {safe(str(error), 300)}"
    why = "The hive is as it was, and operations go on: hivetui operations"
    try:
        return [what, why, f"Send this file to those who make hivetui: {_write(error, folder(environment))}"]
    except OSError as failure:
        place = safe(str(folder(environment)))
        return [what, why, f"The traceback could not be written to {place}: {failure.strerror or failure}"]


def _write(error: BaseException, place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in sorted(place.glob("bug-*.log"))[: -_KEPT + 1]:
        old.unlink(missing_ok=True)
    now = datetime.now(UTC)
    path = place / f"bug-{now:%Y%m%dT%H%M%S.%f}-{os.getpid()}.log"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"hivetui {__version__}, Python {sys.version.split()[0]}, {platform.platform()}, {now:%FT%TZ}\n\n")
        file.writelines(f"{line}\n" for line in _lines(error))
    return path


def _lines(error: BaseException) -> list[str]:
    text = "".join(traceback.format_exception(error))
    return [line for part in text.splitlines() for line in safe_lines(part)]
