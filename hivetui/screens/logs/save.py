"""Saves lines of a log to a file of the operator's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from hivetui.engine.model.times import format_for_name

_BATCH_LINES = 2000
"""How many lines are written before other work of the loop has its turn."""
_NAMED_AGENTS = 3


def choose_path(agents: tuple[str, ...], now: datetime) -> Path:
    """A file in the operator's home folder, named by the first agents and the time (UTC)."""
    return Path.home() / f"hivetui-{'-'.join(agents[:_NAMED_AGENTS])}-{format_for_name(now)}.log"


async def save(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines to a new file that only its owner can read, and count them. OSError, also if the file exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    count = 0
    with os.fdopen(descriptor, "wb") as file:
        for count, line in enumerate(lines, 1):
            file.write(line)
            if count % _BATCH_LINES == 0:
                await asyncio.sleep(0)
    return count
