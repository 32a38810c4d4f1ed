"""Times as operators write them on the command line. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hivetui.engine.model.errors import BadData

_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, now: datetime) -> datetime:
    """The time that `text` means, in UTC: 10m, "2 hours ago", today, yesterday, or ISO 8601 (UTC without an offset).

    Raises BadData.
    """
    words = text.strip().lower()
    if match := re.fullmatch(r"(\d{1,6})\s*(s|m|min|h|d|w)[a-z]*(\s+ago)?", words):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    if words in ("today", "yesterday"):
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=words == "yesterday")
    try:
        time = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
    except ValueError as error:
        why = "A time is 10m, 2h, 3d, today, yesterday, or ISO 8601."
        raise BadData(f"{text[:40]!r} is not a time", why, "Write it as 2026-01-31T12:00:00Z.") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
