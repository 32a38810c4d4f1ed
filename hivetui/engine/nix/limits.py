"""Limits of time and memory for evaluations, which run code that agents wrote, and what nix may reach meanwhile."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hivetui.engine.host import programs
from hivetui.engine.host.host import Host

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MAX_OUTPUT = 64 << 20
"""Bytes of the result of an evaluation."""


def memory_bytes(size: str) -> int | None:
    """A size as systemd writes it; None for "infinity"."""
    match = re.fullmatch(r"([0-9]+)([KMGT]?)", size, re.ASCII)
    return int(match[1]) * _UNITS[match[2]] if match else None


def limited(host: Host, argv: Sequence[str]) -> tuple[str, ...]:
    """The argv that runs a program with at most `review.eval_memory` (prlimit(1)), where that program is there."""
    size = memory_bytes(host.settings.review.eval_memory)
    if size is None or programs.find(host, ("prlimit",)) is None:
        return tuple(argv)
    return ("prlimit", f"--as={size}", "--core=0", "--", *argv)


def restricted(host: Host, allowed: Sequence[str]) -> tuple[str, ...]:
    """Options that keep an evaluation on an embedded host from reading anything but the sources `allowed`.

    Elsewhere it is a user of its own that can read nothing else, and inputs come from places that are not known here.
    """
    if not host.embedded:
        return ()
    return ("--option", "restrict-eval", "true", "--option", "allowed-uris", " ".join(allowed))
