from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest
from textual.containers import Vertical

from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.patterns import BadPattern
from hivetui.widgets.log.log_view import LogView
from tests.widgets.conftest import HOSTILE, Staged, assert_harmless, painted, until

START = datetime(2026, 1, 1, tzinfo=UTC)


def numbered(first: int, count: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, first + count))


def log_line(second: int, text: str, agent: str = "ada", stream: str = "stdout") -> LogLine:
    return LogLine(START + timedelta(seconds=second), agent, stream, text)


async def test_a_followed_log_shows_its_end(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(40, 6)) as pilot:
        view.feed_bytes(numbered(0, 100))
        await until(pilot, lambda: painted(view)[4].endswith("line 99"))
        view.feed_bytes(numbered(100, 1))
        await until(pilot, lambda: painted(view)[4].endswith("line 100"))
        assert painted(view)[5].startswith("▼ following")


async def test_scrolling_up_stops_following_and_the_end_resumes_it(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(40, 6)) as pilot:
        view.feed_bytes(numbered(0, 100))
        await until(pilot, lambda: view.top == 95)
        view.action_page_up()
        view.feed_bytes(numbered(100, 50))
        await pilot.pause(0.1)
        assert not view.following
        assert painted(view)[0].endswith("line 91")
        view.action_last()
        await until(pilot, lambda: painted(view)[4].endswith("line 149"))
        assert view.following


async def test_a_frozen_log_does_not_move_and_counts_new_lines(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(60, 6)) as pilot:
        view.feed_bytes(numbered(0, 100))
        await until(pilot, lambda: view.top == 95)
        view.freeze()
        before = painted(view)[:5]
        view.feed_bytes(numbered(100, 123))
        await until(pilot, lambda: "+123 new" in painted(view)[5])
        assert painted(view)[:5] == before
        view.action_last()
        assert painted(view)[:5] == before
        view.action_toggle_freeze()
        await until(pilot, lambda: painted(view)[4].endswith("line 222"))


async def test_a_frozen_log_keeps_what_it_shows_when_the_store_drops_it(stage: Staged) -> None:
    view = LogView(limit=1000)
    async with stage(view, size=(60, 6)) as pilot:
        view.feed_bytes(numbered(0, 100))
        await until(pilot, lambda: view.top == 95)
        view.freeze()
        before = painted(view)[:5]
        for first in range(100, 60_000, 100):
            view.feed_bytes(numbered(first, 100))
        await pilot.pause(0.1)
        assert view.store.first > 100
        assert painted(view)[:5] == before


async def test_dropped_lines_are_counted_in_the_status_line(stage: Staged) -> None:
    view = LogView(limit=1000)
    async with stage(view) as pilot:
        for first in range(0, 60_000, 100):
            view.feed_bytes(numbered(first, 100))
        await until(pilot, lambda: f"{view.store.first} older dropped" in painted(view)[-1])


async def test_search_goes_forward_and_back_and_wraps_around(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(60, 6)) as pilot:
        view.feed_bytes(numbered(0, 3000))
        view.action_first()
        view.search("line .*50$")
        await until(pilot, lambda: view.current_match == 50)
        view.action_next_match()
        await until(pilot, lambda: view.current_match == 150)
        view.action_previous_match()
        await until(pilot, lambda: view.current_match == 50)
        view.action_previous_match()
        await until(pilot, lambda: view.current_match == 2950)
        assert "search wrapped around" in painted(view)[5]
        assert any(line.endswith("line 2950") for line in painted(view))


async def test_matches_are_marked_in_their_line(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(60, 6)):
        view.feed_bytes(b"one two one\n")
        view.search("one")
        marked = [segment.text for segment in view.render_line(0) if segment.style and segment.style.underline]
        assert marked == ["one", "one"]


async def test_a_search_shows_what_it_found_beyond_the_right_edge(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(40, 6)) as pilot:
        view.feed_bytes(b"x" * 200 + b"needle\nnear needle\n")
        view.action_first()
        view.search("needle")
        await until(pilot, lambda: "needle" in painted(view)[0])
        assert painted(view)[0].startswith("x")
        view.action_next_match()
        await until(pilot, lambda: painted(view)[1].endswith("near needle"))
        assert view.left == 0


async def test_a_search_without_a_match_says_so(stage: Staged) -> None:
    view = LogView()
    async with stage(view) as pilot:
        view.feed_bytes(numbered(0, 10))
        view.search("nowhere")
        await until(pilot, lambda: "no match" in painted(view)[-1])


async def test_a_bad_pattern_changes_nothing(stage: Staged) -> None:
    view = LogView()
    async with stage(view):
        view.feed_bytes(numbered(0, 10))
        with pytest.raises(BadPattern):
            view.filter("(")
        assert view.line_count() == 10


async def test_a_filter_and_its_inverse_show_complementary_lines(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(80, 6)) as pilot:
        view.feed_bytes(numbered(0, 20_000))
        view.filter("7$")
        await until(pilot, lambda: view.line_count() == 2000)
        await until(pilot, lambda: painted(view)[4].endswith("line 19997"))
        view.filter("7$", inverse=True)
        await until(pilot, lambda: view.line_count() == 18_000)
        view.filter("")
        assert view.line_count() == 20_000


async def test_new_lines_are_filtered_too(stage: Staged) -> None:
    view = LogView()
    async with stage(view) as pilot:
        view.filter("7$")
        view.feed_bytes(numbered(0, 100))
        await until(pilot, lambda: view.line_count() == 10)
        view.feed_bytes(numbered(100, 100))
        await until(pilot, lambda: view.line_count() == 20)


async def test_no_match_is_said_no_more_when_lines_with_one_have_come(stage: Staged) -> None:
    view = LogView()
    async with stage(view) as pilot:
        view.search("line 7")
        await until(pilot, lambda: "no match" in painted(view)[-1])
        view.feed_bytes(numbered(0, 10))
        await until(pilot, lambda: "– of 1 " in painted(view)[-1])
        assert "no match" not in painted(view)[-1]
        view.action_next_match()
        await until(pilot, lambda: "1 of 1 " in painted(view)[-1])


async def test_a_search_finds_only_what_the_filter_leaves(stage: Staged) -> None:
    view = LogView()
    async with stage(view) as pilot:
        view.feed_bytes(numbered(0, 1000))
        view.filter("7$")
        await until(pilot, lambda: view.line_count() == 100)
        view.search("line 1")
        await until(pilot, lambda: view.current_match == 17)


async def test_times_and_sources_can_be_left_out(stage: Staged) -> None:
    view = LogView(clock=lambda: START)
    async with stage(view) as pilot:
        view.feed_lines([log_line(61, "hello", "iris", "stderr")])
        await until(pilot, lambda: painted(view)[0])
        assert painted(view)[0].split() == ["00:01:01", "iris", "!", "hello"]
        view.action_toggle_times()
        assert painted(view)[0].split() == ["iris", "!", "hello"]
        view.action_toggle_sources()
        assert painted(view)[0].split() == ["hello"]


async def test_lines_stay_in_their_order_in_view_and_filter_when_the_clock_is_set_back(stage: Staged) -> None:
    view = LogView(clock=lambda: START)
    async with stage(view) as pilot:
        view.filter("x")
        view.feed_lines([log_line(1, "x1"), log_line(3, "x3")])
        await until(pilot, lambda: view.line_count() == 2)
        view.feed_lines([log_line(2, "x2", "bob")])
        await until(pilot, lambda: [line[-2:] for line in painted(view)[:3]] == ["x1", "x3", "x2"])


async def test_levels_have_glyphs(stage: Staged) -> None:
    view = LogView()
    async with stage(view) as pilot:
        view.feed_bytes(b"it failed: no space\nWARNING: low\nINFO fine\n")
        await until(pilot, lambda: painted(view)[0])
        assert [line[0] for line in painted(view)[:3]] == ["✖", "▲", "·"]


async def test_long_lines_can_be_wrapped_or_scrolled_sideways(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(21, 6)) as pilot:
        view.feed_bytes(b"a" * 50 + b"b\n")
        await until(pilot, lambda: painted(view)[0])
        assert painted(view)[0] == "  " + "a" * 18
        view.go_left_to(40)
        assert painted(view)[0] == "a" * 12 + "b"
        view.action_toggle_wrap()
        assert painted(view)[:3] == ["  " + "a" * 18, "a" * 20, "a" * 12 + "b"]


async def test_wrapped_lines_scroll_by_rows(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(21, 4)):
        view.feed_bytes(b"".join(bytes([97 + n]) * 58 + b"\n" for n in range(5)))
        view.action_toggle_wrap()
        assert painted(view)[:3] == ["  " + "e" * 18, "e" * 20, "e" * 20]
        view.action_line_up()
        assert painted(view)[:3] == ["d" * 20, "  " + "e" * 18, "e" * 20]
        view.action_first()
        assert painted(view)[0] == "  " + "a" * 18
        for _ in range(50):
            view.action_line_down()
        assert painted(view)[2] == "e" * 20
        assert view.following


async def test_a_cut_line_shows_how_many_bytes_are_missing(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(60, 4)):
        view.feed_bytes(b"x" * 5000 + b"\n")
        view.go_left_to(4080)
        assert painted(view)[0].endswith("… (+904 bytes)")


async def test_the_selected_text_has_the_selected_or_else_the_visible_lines(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(40, 6)):
        view.feed_bytes(numbered(0, 4))
        assert view.selected_text() == "line 0\nline 1\nline 2\nline 3\n"
        view.action_select()
        view.action_line_down()
        assert view.selected_text() == "line 0\nline 1\n"


async def test_dragging_selects_lines(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(40, 6)) as pilot:
        view.feed_bytes(numbered(0, 4))
        await pilot.pause()
        await pilot.mouse_down(view, offset=(2, 1))
        await pilot.hover(view, offset=(2, 2))
        await pilot.mouse_up(view, offset=(2, 2))
        assert view.selected_text() == "line 1\nline 2\n"


async def test_saved_lines_are_exact(stage: Staged) -> None:
    view = LogView()
    async with stage(view):
        view.feed_bytes(b"raw \x1b[31m\xff\n")
        view.feed_lines([log_line(1, "told")])
        assert b"".join(view.saved()) == b"raw \x1b[31m\xff\n2026-01-01T00:00:01.000+00:00 ada stdout told\n"


async def test_an_empty_log_shows_the_reason(stage: Staged) -> None:
    view = LogView(empty="iris is stopped and kept no log.")
    async with stage(view) as pilot:
        assert "iris is stopped" in painted(view)[0]
        view.feed_bytes(numbered(0, 3))
        view.filter("nothing")
        await until(pilot, lambda: "None of 3 lines matches the filter" in painted(view)[0])


async def test_a_cleared_log_starts_again(stage: Staged) -> None:
    view = LogView()
    async with stage(view) as pilot:
        view.feed_bytes(numbered(0, 100))
        await until(pilot, lambda: painted(view)[0])
        view.clear()
        view.feed_bytes(b"fresh\n")
        await until(pilot, lambda: painted(view)[0].endswith("fresh"))


async def test_a_hidden_log_keeps_lines_and_paints_nothing(stage: Staged) -> None:
    view = LogView()
    async with stage(Vertical(view)) as pilot:
        view.display = False
        await pilot.pause()
        for first in range(0, 1000, 100):
            view.feed_bytes(numbered(first, 100))
            await pilot.pause(0.01)
        assert view._window is None
        view.display = True
        await until(pilot, lambda: any(line.endswith("line 999") for line in painted(view)))


async def test_a_hostile_log_does_no_harm_and_stays_fast(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(120, 40)) as pilot:
        began = perf_counter()
        view.feed_lines([log_line(n, text, text, text) for n, text in enumerate(HOSTILE)])
        view.feed_bytes("\n".join(HOSTILE).encode() + b"\n\xff\xfe\xc3\n" + b"\x1b[31m" * 2_000_000 + b"\n")
        view.feed_lines([log_line(99, "x" * 10_000_000)])
        for toggle in (view.action_toggle_wrap, view.action_first, view.action_last, view.action_toggle_wrap):
            toggle()
            await pilot.pause()
            assert_harmless(view)
        view.search("x")
        await pilot.pause()
        assert_harmless(view)
        assert perf_counter() - began < 5
        assert "\x1b" not in view.selected_text()


async def test_colour_of_a_writer_is_kept_where_it_hides_nothing(stage: Staged) -> None:
    view = LogView()
    async with stage(view) as pilot:
        view.feed_bytes(b"\x1b[31mred\x1b[0m \x1b[8mhidden\x1b[0m\n")
        await until(pilot, lambda: painted(view)[0])
        strip = view.render_line(0)
        assert "hidden" in strip.text
        colours = {segment.text: segment.style.color for segment in strip if segment.style}
        assert colours["red"] == view.style_of("log--red").color != view.rich_style.color


async def test_a_search_tells_which_of_how_many_matches_it_is_at(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(100, 6)) as pilot:
        view.feed_bytes(numbered(0, 3000))
        view.action_first()
        view.search("line .*50$")
        await until(pilot, lambda: "1 of 30 " in painted(view)[5])
        view.action_next_match()
        await until(pilot, lambda: "2 of 30 " in painted(view)[5])
        view.feed_bytes(b"line 50\n")
        await until(pilot, lambda: "2 of 31 " in painted(view)[5])
        view.action_previous_match()
        view.action_previous_match()
        await until(pilot, lambda: "wrapped" in painted(view)[5])
        view.filter("line 1")
        await until(pilot, lambda: "of 11 " in painted(view)[5])


async def test_a_search_follows_the_pattern_as_it_is_typed_and_can_be_taken_back(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(60, 6)) as pilot:
        view.feed_bytes(numbered(0, 3000))
        view.action_first()
        view.search("line 7")
        await until(pilot, lambda: view.current_match == 7)
        view.preview_search("2")
        await until(pilot, lambda: view.current_match == 12)
        view.preview_search("29")
        await until(pilot, lambda: view.current_match == 29)
        view.preview_search("29(")
        await until(pilot, lambda: "missing" in painted(view)[5])
        view.preview_search("2999")
        await until(pilot, lambda: view.current_match == 2999)
        view.cancel_search()
        await until(pilot, lambda: "search /line 7/ 1 of 111" in painted(view)[5])
        assert view.current_match == 7
        assert painted(view)[1].endswith("line 7")
        view.preview_search("2999")
        await until(pilot, lambda: view.current_match == 2999)
        view.search("2999")
        assert view.current_match == 2999
        view.cancel_search()
        await until(pilot, lambda: "search /2999/ 1 of 1" in painted(view)[5])


async def test_typing_a_pattern_in_a_followed_log_and_leaving_follows_again(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(60, 6)) as pilot:
        view.feed_bytes(numbered(0, 100))
        await until(pilot, lambda: view.top == 95)
        view.preview_search("line 5")
        await until(pilot, lambda: view.current_match == 5)
        assert not view.following
        view.cancel_search()
        await until(pilot, lambda: view.following and view.top == 95)


async def test_the_priority_of_the_journal_is_the_level_of_a_line(stage: Staged) -> None:
    view = LogView()
    async with stage(view, size=(60, 4)) as pilot:
        times = [START + timedelta(seconds=second) for second in range(3)]
        priorities = zip(times, (2, 6, 4), strict=True)
        view.feed_lines([LogLine(time, "ada", "demo", "all is well", priority) for time, priority in priorities])
        await until(pilot, lambda: "✖ all is well" in painted(view)[0])
        assert "▲ all is well" in painted(view)[2]
        assert "  all is well" in painted(view)[1]
        view.action_next_error()
        await until(pilot, lambda: view.current_match == 0)


NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def aged(*days: float) -> list[LogLine]:
    return [LogLine(NOW - timedelta(days=one), "ada", "demo", f"{one} days old") for one in days]


async def test_every_new_day_has_a_line_and_times_have_the_date_that_they_need(stage: Staged) -> None:
    view = LogView(clock=lambda: NOW)
    async with stage(view, size=(70, 12)) as pilot:
        view.feed_lines(aged(400, 3, 1, 1, 0))
        await until(pilot, lambda: painted(view)[8].startswith("12:00:00 ada"))
        assert [row.split(" ada")[0] for row in painted(view)[:9]] == [
            "── Thursday 2025-10-23 ──",
            "2025-10-23 12:00:00",
            "── Tuesday 2026-11-24 ──",
            "11-24 12:00:00",
            "── Thursday 2026-11-26 ──",
            "11-26 12:00:00",
            "11-26 12:00:00",
            "── Friday 2026-11-27 ──",
            "12:00:00",
        ]


async def test_a_log_of_today_has_no_line_for_the_day_until_it_is_another_day(stage: Staged) -> None:
    now = NOW
    view = LogView(clock=lambda: now)
    async with stage(view, size=(70, 6)) as pilot:
        view.feed_lines(aged(0.1, 0))
        await until(pilot, lambda: painted(view)[1].startswith("12:00:00 ada"))
        assert painted(view)[0].startswith("09:36:00 ada")
        now += timedelta(days=1)
        view.repaint()
        await until(pilot, lambda: painted(view)[0] == "── Friday 2026-11-27 ──")
        assert painted(view)[2].startswith("11-27 12:00:00 ada")


@pytest.mark.parametrize("wrap", [False, True])
async def test_lines_of_days_leave_the_newest_line_in_view_and_every_line_in_reach(stage: Staged, wrap: bool) -> None:
    view = LogView(clock=lambda: NOW)
    async with stage(view, size=(70, 6)) as pilot:
        view.wrap = wrap
        view.feed_lines(aged(*range(20, -1, -1)))
        await until(pilot, lambda: "0 days old" in painted(view)[4])
        view.action_first()
        await until(pilot, lambda: "20 days old" in painted(view)[1])
        seen = set()
        for _ in range(60):
            seen |= {row.partition("│")[2].split()[0] for row in painted(view)[:5] if "days old" in row}
            view.action_line_down()
        assert seen == {str(days) for days in range(21)}
        assert view.following
        view.action_first()
        view.search("^9 days")
        await until(pilot, lambda: any("9 days old" in row for row in painted(view)[:5]))


async def test_a_click_selects_the_line_that_is_under_the_mouse_below_the_lines_of_days(stage: Staged) -> None:
    view = LogView(clock=lambda: NOW)
    async with stage(view, size=(70, 12)) as pilot:
        view.feed_lines(aged(400, 3, 1, 0))
        await until(pilot, lambda: "0 days old" in painted(view)[7])
        await pilot.mouse_down(view, offset=(3, 3))
        assert view.selected_text() == "3 days old\n"
        await pilot.mouse_up(view, offset=(3, 3))


async def test_no_line_for_a_day_where_times_are_hidden(stage: Staged) -> None:
    view = LogView(clock=lambda: NOW)
    async with stage(view, size=(70, 12)) as pilot:
        view.feed_lines(aged(400, 0))
        view.action_toggle_times()
        await until(pilot, lambda: "0 days old" in painted(view)[1])
        assert not any("──" in row for row in painted(view))


async def test_lines_of_the_future_have_their_day_and_a_clock_set_back_begins_a_day_again(stage: Staged) -> None:
    view = LogView(clock=lambda: NOW)
    async with stage(view, size=(70, 12)) as pilot:
        view.feed_lines(aged(0, -1, -60, 0))
        await until(pilot, lambda: painted(view)[6].startswith("12:00:00 ada"))
        assert [row.split(" ada")[0] for row in painted(view)[:7]] == [
            "12:00:00",
            "── Saturday 2026-11-28 ──",
            "11-28 12:00:00",
            "── Tuesday 2027-01-26 ──",
            "2027-01-26 12:00:00",
            "── Friday 2026-11-27 ──",
            "12:00:00",
        ]
