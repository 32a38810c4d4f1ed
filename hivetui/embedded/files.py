"""Small files that the stand-ins share: JSON that is replaced as a whole, locks, configurations of containers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hivetui.engine.host import file_lock


def read_json(path: Path) -> dict[str, Any]:
    """The object that `write_json` wrote; empty when the file is missing."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a file by rename, so that readers see the old or the new one; a failure leaves no temporary file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(value))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def replace_link(link: Path, target: str | Path) -> None:
    """Let a symbolic link point to `target`, by rename."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which is created when it is missing; waits for it."""
    descriptor = file_lock.open_file(path)
    try:
        file_lock.lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def read_conf(path: Path) -> dict[str, str]:
    """The assignments of a container's configuration, as systemd reads an EnvironmentFile; none for a missing file."""
    values: dict[str, str] = {}
    try:
        text = path.read_text(errors="surrogateescape")
    except FileNotFoundError:
        return values
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            values[name] = value.strip().strip('"')
    return values
