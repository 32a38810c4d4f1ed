"""How a commit is named for people: one length in every verb, screen, message and record. Pure."""

from __future__ import annotations

SHORT_HASH = 12
"""How many characters of a hash people see; as hyperhive shortens them."""


def short_hash(commit: str | None, absent: str = "-") -> str:
    """The abbreviated hash of a commit, `absent` for None."""
    return commit[:SHORT_HASH] if commit else absent
