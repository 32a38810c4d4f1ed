"""Whether the terminal that stdout was is gone."""

from __future__ import annotations

import select


def has_hung_up() -> bool:
    """Whether stdout was a terminal that is gone: a write to it fails with EIO, which a disk may report as well."""
    poll = select.poll()
    poll.register(1, 0)  # POLLHUP is always reported
    return any(event & select.POLLHUP for _, event in poll.poll(0))
