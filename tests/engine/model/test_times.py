from datetime import UTC, datetime, timedelta, timezone

import pytest

from hivetui.engine.model.times import format_date_time, format_time

NOW = datetime(2026, 11, 27, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "shown"), [(0, "00:30:00"), (1, "11-26 00:30:00"), (3, "11-24 00:30:00"), (400, "2025-10-23 00:30:00")]
)
def test_a_time_has_the_date_and_year_that_are_not_those_of_now(days: int, shown: str) -> None:
    assert format_time(NOW - timedelta(days=days), NOW) == shown
    assert format_time(NOW - timedelta(days=days), NOW, seconds=False) == shown[:-3]


def test_a_time_just_before_midnight_has_its_date() -> None:
    assert format_time(NOW - timedelta(minutes=31), NOW) == "11-26 23:59:00"


def test_today_is_that_of_the_zone() -> None:
    behind = timezone(timedelta(hours=-1))
    assert format_time(NOW - timedelta(hours=2), NOW, behind) == "21:30:00"
    assert format_time(NOW - timedelta(hours=2), NOW) == "11-26 22:30:00"


def test_a_dated_time_of_today_keeps_its_date() -> None:
    assert format_time(NOW, NOW, dated=True) == "11-27 00:30:00"


@pytest.mark.parametrize("time", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_the_calendar_can_be_shown_in_any_zone(time: datetime) -> None:
    for hours in (-12, 0, 14):
        zone = timezone(timedelta(hours=hours))
        assert format_date_time(time, zone)[:4] in ("0001", "9999")
        assert format_time(time, NOW, zone)[:4] in ("0001", "9999")
    assert format_time(time, NOW, None)[:4] in ("0001", "9999")


def test_a_full_time_has_everything() -> None:
    assert format_date_time(NOW) == "2026-11-27 00:30:00"
