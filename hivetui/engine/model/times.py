"""How a moment is written for people, in every list, view and verb: never without the date that it needs. Pure.

A moment of today is a time of day, one of another day has its date, and one of another year has its year, so that no
two moments look alike that are days or years apart.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo


def in_zone(time: datetime, zone: tzinfo | None = UTC) -> datetime:
    """A moment in a time zone, or in that of the host if `zone` is None; unchanged at the ends of the calendar."""
    try:
        return time.astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return time


def format_time(
    time: datetime, now: datetime, zone: tzinfo | None = UTC, *, seconds: bool = True, dated: bool = False
) -> str:
    """A moment as briefly as it is clear: `14:03:22`, `11-24 14:03:22`, or `2025-11-24 14:03:22`.

    `zone` None is the zone of the host. Without `seconds` it is `14:03` and so on; `dated` keeps the date of today.
    """
    local = in_zone(time, zone)
    clock = local.strftime("%H:%M:%S" if seconds else "%H:%M")
    today = in_zone(now, zone).date()
    if local.date() == today and not dated:
        return clock
    return f"{format_day(local.date(), today)} {clock}"


def format_moment(time: datetime, now: datetime, utc: bool) -> str:
    """Day of the week, date and time of day: `Tue 11-24 14:03`; with a Z in UTC, as in ISO 8601."""
    zone = UTC if utc else None
    moment = format_time(time, now, zone, seconds=False, dated=True)
    return f"{in_zone(time, zone):%a} {moment}{'Z' if utc else ''}"


def format_day(day: date, today: date) -> str:
    """A day without the year if it is this one: `11-24` or `2025-11-24`."""
    return day.isoformat() if day.year != today.year else day.isoformat()[5:]


def format_day_line(day: date) -> str:
    """A day in full, as a line above what happened on it: `Tuesday 2026-11-24`."""
    return f"{day:%A} {day.isoformat()}"


def format_iso(time: datetime, timespec: str = "seconds") -> str:
    """A moment in full for programs and files, in UTC: `2026-11-24T14:03:22Z`."""
    if time.tzinfo is not UTC:
        time = in_zone(time)
    return time.isoformat(timespec=timespec).removesuffix("+00:00") + "Z"


def format_for_name(time: datetime) -> str:
    """A moment as a part of a file's name: in UTC, to the microsecond, in the order of time."""
    return f"{in_zone(time):%Y%m%dT%H%M%S.%fZ}"


def format_date_time(time: datetime, zone: tzinfo | None = UTC) -> str:
    """A moment in full, to the second: `2026-11-24 14:03:22`."""
    return in_zone(time, zone).replace(tzinfo=None).isoformat(" ", "seconds")
