"""The log of the door: its stderr, which systemd's journal takes."""

from __future__ import annotations

import sys

from hivetui.engine.model.text import safe

_MAX_NAME = 40


def log(text: str) -> None:
    """Write a line. What it quotes may come from strangers, so it is made safe here."""
    sys.stderr.write(f"{safe(text, 300)}\n")
    sys.stderr.flush()


def shown_name(name: str) -> str:
    """A user name that a stranger gave, as the log quotes it."""
    return repr(name[:_MAX_NAME])
