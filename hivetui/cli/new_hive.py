"""Saying that a command line creates an embedded hive: a mistyped path would make another one in silence."""

from __future__ import annotations

from pathlib import Path

from hivetui.cli.parser import Request


def announce_new_hive(request: Request) -> str | None:
    """What to say once the hive is open; None where it exists, or is not an embedded one. Ask before it is opened."""
    if not request.embedded or request.read_only:
        return None
    from hivetui.embedded.layout import Layout  # a console on another hive starts without it

    folder = Path(request.embedded).expanduser().absolute()
    try:
        exists = Layout(folder).marker.exists()
    except OSError:  # opening it says why
        return None
    return None if exists else f"New hive in {folder}: there was none"
