"""The place in a proposal that an error names, as the engine writes it: `agent.nix:2:5 of the proposal`. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

PROPOSAL = "the proposal"
"""What the source of a proposal is called in an error. Only a place with this name has a line to go to."""
_PLACE = re.compile(rf"(?<!\S)([^\s:']+):([0-9]{{1,9}})(?::[0-9]{{1,9}})? of {PROPOSAL}(?!\w)")


class ErrorPlace(NamedTuple):
    """A line of a file of the proposal; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def find_place(error: str | None) -> ErrorPlace | None:
    """The first place in a proposal that an error names, which is the one of the error itself; None without one."""
    found = _PLACE.search(error or "")
    return ErrorPlace(found[1], int(found[2])) if found else None
