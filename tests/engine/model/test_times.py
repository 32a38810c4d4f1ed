import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import hivetui
from hivetui.engine.model.times import format_date_time, format_iso, format_moment, format_time
from hivetui.widgets.wording import format_age, format_ago

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


@pytest.mark.parametrize(
    ("ahead", "shown"),
    [
        (timedelta(hours=23), "23:30:00"),
        (timedelta(days=1), "11-28 00:30:00"),
        (timedelta(days=36), "2027-01-02 00:30:00"),
        (timedelta(days=365), "2027-11-27 00:30:00"),
        (timedelta(days=365 * 900), "2926-04-23 00:30:00"),
    ],
)
def test_a_time_in_the_future_has_its_date_and_year_too(ahead: timedelta, shown: str) -> None:
    assert format_time(NOW + ahead, NOW) == shown


def test_an_age_below_a_minute_goes_in_steps_of_five_seconds() -> None:
    ages = [format_age(NOW - timedelta(seconds=one), NOW) for one in (0, 4.9, 5, 59.9, 60)]
    assert ages == ["0s", "0s", "5s", "55s", "1m"]


def test_an_age_in_the_future_says_so() -> None:
    assert [format_age(NOW + timedelta(seconds=one), NOW) for one in (-90, 5, 300, 90_000)] == [
        "1m",
        "0s",
        "in 5m",
        "in 1d",
    ]
    assert format_ago(NOW + timedelta(days=3), NOW) == "2026-11-30 00:30:00 (in the future)"


def test_a_time_for_programs_is_in_utc() -> None:
    assert format_iso(datetime(2026, 11, 27, 2, 30, 1, 5, timezone(timedelta(hours=2)))) == "2026-11-27T00:30:01Z"


OWN_FORMATS = re.compile(r"strftime|(?<!from)isoformat|ctime\(|\{[^{}]*:%[A-Za-z]")
ALLOWED = {
    "engine/model/times.py",
    "engine/events/journal.py",  # a field of the host's journal
    "engine/records/signers.py",  # valid-after of ssh-keygen(1)
    "widgets/log/export.py",  # a saved log
}


def test_every_time_that_is_shown_is_written_by_this_module() -> None:
    """A format elsewhere is how a time comes to lack its date; embedded programs write as the real ones do."""
    root = Path(hivetui.__file__).parent
    paths = [path for path in root.rglob("*.py") if "embedded" not in path.parts]
    found = {str(path.relative_to(root)) for path in paths if OWN_FORMATS.search(path.read_text())}
    assert found == ALLOWED


def test_a_moment_has_its_day_of_the_week_and_the_year_if_it_is_another_one() -> None:
    assert format_moment(NOW - timedelta(days=3), NOW, utc=True) == "Tue 11-24 00:30Z"
    assert format_moment(NOW - timedelta(days=400), NOW, utc=True) == "Thu 2025-10-23 00:30Z"
