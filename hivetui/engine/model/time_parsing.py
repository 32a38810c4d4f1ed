"""Times as operators write them for `--since` and in the console: past ones of systemd.time(7). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hivetui.engine.model.errors import BadData
from hivetui.engine.model.times import format_date_time

_SECONDS = {
    **dict.fromkeys(("us", "usec"), 1e-6),
    **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 86400.0),
    **dict.fromkeys(("M", "month", "months"), 30.44 * 86400),
    **dict.fromkeys(("y", "year", "years"), 365.25 * 86400),
}
"""The lengths of the units of a span, with the averages of systemd.time(7) for months and years."""
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_SPAN = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)\s*", re.ASCII)
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
_DATE = r"(?:(?P<year>\d{4}|\d\d)-)?(?P<month>\d\d)-(?P<day>\d\d)"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+)?"
_WEEKDAYS = {
    name: day
    for day, full in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
    for name in (full, full[:3])
}
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?"
_MOMENT = re.compile(rf"{_WEEKDAY}(?:{_DATE})?(?:[ T]+)?(?:{_CLOCK})?{_ZONE}", re.ASCII | re.IGNORECASE)
_FORMS = (
    "10m, 1h30m, 2 days ago, today, yesterday, 18:00, 2026-01-31, 2026-01-31 18:00 or @1764180000; without a zone UTC"
)


def parse_time(text: str, now: datetime) -> datetime:
    """The past moment that `text` means, in UTC.

    A span is counted back from `now`, with or without a minus or "ago". A time of day without a date is today's, a
    weekday alone its last midnight, and a date without a year this year's: the last one that is not in the future, as
    git takes it; so 18:00 in the morning is yesterday's. Raises BadData.
    """
    words = text.strip()
    try:
        time = _parse_span(words, now) or _parse_word(words.lower(), now) or _parse_moment(words, now)
    except (ValueError, OverflowError):
        time = None
    if time is None:
        raise BadData(f"{text[:40]!r} is not a time", f"A time is {_FORMS}.", "Write it as 2026-01-31T12:00:00Z.")
    if time > now:
        why = f"That is {format_date_time(time)} UTC; it is {format_date_time(now)} UTC now."
        raise BadData(f"{text[:40]!r} is in the future", why, "Give a time in the past, such as 10m or yesterday.")
    return time


def _parse_span(words: str, now: datetime) -> datetime | None:
    """`1h30m`, `-1h`, `2 hours ago`: one or more numbers with units."""
    is_ahead = words.startswith("+")
    span = words[1:].strip() if is_ahead else re.sub(r"\s+ago$", "", words).removeprefix("-").strip()
    parts = list(_SPAN.finditer(span))
    if not parts or "".join(part[0] for part in parts) != span:
        return None
    seconds = 0.0
    for part in parts:
        unit = part[2] if part[2] in _SECONDS else part[2].lower()
        if unit not in _SECONDS:
            return None
        seconds += float(part[1]) * _SECONDS[unit]
    return now + timedelta(seconds=seconds if is_ahead else -seconds)


def _parse_word(word: str, now: datetime) -> datetime | None:
    """`now`, `today`, `yesterday`, `monday`, or seconds since 1970 as `@1764180000`."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {
        "now": now,
        "today": midnight,
        "yesterday": midnight - timedelta(days=1),
        "tomorrow": midnight + timedelta(days=1),
    }
    if word in _WEEKDAYS:
        return midnight - timedelta(days=(now.weekday() - _WEEKDAYS[word]) % 7)
    if word in named:
        return named[word]
    if match := re.fullmatch(r"@(\d{1,12}(?:\.\d{1,9})?)", word, re.ASCII):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(match[1]))
    return None


def _parse_moment(words: str, now: datetime) -> datetime | None:
    """A date, a time of day, or both; also as lists and logs show it, without the year."""
    match = _MOMENT.fullmatch(words)
    if match is None or (match["month"] is None and match["hour"] is None):
        return None
    clock = (int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0))
    micros = int((match["fraction"] or "0").ljust(6, "0")[:6])
    zone = datetime.strptime(_spell_zone(match["zone"]), "%z").tzinfo
    local = now.astimezone(zone)
    month, day = int(match["month"] or local.month), int(match["day"] or local.day)
    year = _read_year(match["year"] or str(local.year))
    time = datetime(year, month, day, *clock, micros, zone)
    if time > now and match["month"] is None:
        time -= timedelta(days=1)
    elif time > now and match["year"] is None:
        time = time.replace(year=year - 1)
    return time.astimezone(UTC)


def _read_year(digits: str) -> int:
    """The year; of two digits as in strptime(3), which systemd uses."""
    year = int(digits)
    return year if len(digits) > 2 else year + (2000 if year < 69 else 1900)


def _spell_zone(zone: str | None) -> str:
    return zone if zone is not None and zone[0] in "+-" else "+0000"
