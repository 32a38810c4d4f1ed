"""Times as operators write them: past ones, in UTC, as journalctl and git take them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hivetui.engine.model.errors import BadData
from hivetui.engine.model.time_parsing import parse_time
from hivetui.engine.model.times import format_time

NOW = datetime(2026, 11, 27, 19, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", "2026-11-27T19:20:15"),
        ("1h30m", "2026-11-27T18:00:15"),
        ("1h 30min ago", "2026-11-27T18:00:15"),
        ("-1h", "2026-11-27T18:30:15"),
        ("- 2 hours", "2026-11-27T17:30:15"),
        ("2 Hours ago", "2026-11-27T17:30:15"),
        ("1.5h", "2026-11-27T18:00:15"),
        ("3d", "2026-11-24T19:30:15"),
        ("1w", "2026-11-20T19:30:15"),
        ("90s", "2026-11-27T19:28:45"),
        ("now", "2026-11-27T19:30:15"),
        ("today", "2026-11-27T00:00:00"),
        ("Yesterday", "2026-11-26T00:00:00"),
        ("friday", "2026-11-27T00:00:00"),
        ("Mon", "2026-11-23T00:00:00"),
        ("18:00", "2026-11-27T18:00:00"),
        ("19:31", "2026-11-26T19:31:00"),  # git takes the last one that has been
        ("23:59:59", "2026-11-26T23:59:59"),
        ("19:00 -01:00", "2026-11-26T20:00:00"),
        ("2026-11-26T18:00Z", "2026-11-26T18:00:00"),
        ("2026-11-26 18:00 +0100", "2026-11-26T17:00:00"),
        ("8:05:09", "2026-11-27T08:05:09"),
        ("18:00 +02:00", "2026-11-27T16:00:00"),
        ("@1764180000", "2025-11-26T18:00:00"),
        ("@1764180000.5", "2025-11-26T18:00:00.500000"),
        ("2026-01-31", "2026-01-31T00:00:00"),
        ("2026-01-31 12:00", "2026-01-31T12:00:00"),
        ("2026-01-31 12:00:01 UTC", "2026-01-31T12:00:01"),
        ("2026-01-31T12:00:01.25Z", "2026-01-31T12:00:01.250000"),
        ("2026-01-31T12:00:00+0100", "2026-01-31T11:00:00"),
        ("Tue 2026-11-24 18:00", "2026-11-24T18:00:00"),
        ("11-24 14:03:22", "2026-11-24T14:03:22"),
        ("26-11-24 14:03", "2026-11-24T14:03:00"),
        ("99-12-31", "1999-12-31T00:00:00"),
        ("500ms", "2026-11-27T19:30:14.500000"),
        ("12-24 14:03", "2025-12-24T14:03:00"),
    ],
)
def test_a_time_is_what_journalctl_would_make_of_it(text: str, expected: str) -> None:
    assert parse_time(text, NOW) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_every_time_that_is_shown_can_be_given_back() -> None:
    for days in (0, 3, 200, 400):
        then = datetime.fromtimestamp(NOW.timestamp() - days * 86400, UTC)
        assert parse_time(format_time(then, NOW), NOW) == then


@pytest.mark.parametrize(
    "text",
    ["", "soonish", "1x", "10", "25:00", "12:61", "2026-13-01", "2026-02-30", "@", "@x", "٣h", "1h30", "9" * 30 + "y"],
)
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadData, match="is not a time") as refused:
        parse_time(text, NOW)
    assert "1h30m" in refused.value.why


@pytest.mark.parametrize("text", ["2027-01-01", "@99999999999", "2026-11-27 20:00", "tomorrow", "+1h"])
def test_a_time_in_the_future_is_refused_with_the_time_that_it_is_now(text: str) -> None:
    with pytest.raises(BadData, match="in the future") as refused:
        parse_time(text, NOW)
    assert "2026-11-27 19:30:15 UTC now" in refused.value.why
