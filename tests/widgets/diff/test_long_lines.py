"""Text that does not fit into the view: it is marked and counted, wrapped on request, and never left out unsaid."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from hivetui.widgets.diff.diff_view import DiffView
from tests.widgets.conftest import Staged, Tree, assert_harmless, painted, until

Difference = Callable[[Tree, Tree], bytes]
PAYLOAD = b"environment.x = builtins.exec;"
BLANKS = b'x = "12";' + b" " * 150 + PAYLOAD
SIZES = [(80, 24), (120, 40), (200, 50)]


async def loaded(view: DiffView, pilot: object, data: bytes) -> None:
    view.start()
    view.feed(data)
    view.finish()
    await until(pilot, lambda: "complete" in painted(view)[-1])  # type: ignore[arg-type]


@pytest.mark.parametrize("sides", [False, True])
@pytest.mark.parametrize("size", SIZES)
async def test_code_behind_many_blanks_cannot_look_as_if_it_were_not_there(
    stage: Staged, git_difference: Difference, size: tuple[int, int], sides: bool
) -> None:
    view = DiffView()
    async with stage(view, size=size) as pilot:
        view.side_by_side = sides
        await loaded(view, pilot, git_difference({"a": b'x = "12";\n'}, {"a": BLANKS + b"\n"}))
        rows = "\n".join(painted(view))
        assert "builtins" in rows or re.search(r"… \(\+\d+\)", rows), rows
        assert "‹150 spaces›" in rows or "builtins" in rows


@pytest.mark.parametrize("blank", [b" ", b"\t", b" \t", b"\xe3\x80\x80", b"\xc2\xa0"])
async def test_any_kind_of_blanks_is_counted_or_marked(stage: Staged, git_difference: Difference, blank: bytes) -> None:
    view = DiffView()
    async with stage(view, size=(80, 24)) as pilot:
        await loaded(view, pilot, git_difference({"a": b"x\n"}, {"a": b"x" + blank * 90 + b"evil\n"}))
        row = next(row for row in painted(view) if " + " in row)
        assert re.search(r"‹\d+ (spaces|tabs|blanks)›evil", row) or re.search(r"… \(\+\d+\)", row)


@pytest.mark.slow
async def test_a_mark_counts_exactly_the_cells_that_are_not_visible(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view, size=(80, 24)) as pilot:
        view.side_by_side = False
        for length in (*range(60, 80), 164, 165, 166, 999, 1066, 1075, 1999):
            view.start()
            view.feed(git_difference({"a": b"x\n"}, {"a": b"y" * length + b"\n"}))
            view.finish()
            await pilot.pause()
            row = next(row for row in painted(view) if " + " in row)
            mark = re.search(r"… \(\+(\d+)\)$", row)
            assert row.count("y") + (int(mark[1]) if mark else 0) == length, row
            assert_harmless(view)


@pytest.mark.parametrize("sides", [False, True])
async def test_line_numbers_and_signs_stay_when_the_text_is_scrolled(
    stage: Staged, git_difference: Difference, sides: bool
) -> None:
    view = DiffView()
    text = b"".join(b"%03d," % n for n in range(100))
    async with stage(view, size=(150, 24)) as pilot:
        view.side_by_side = sides
        await loaded(view, pilot, git_difference({"a": b"x\n"}, {"a": text + b"\n"}))
        for _ in range(20):
            view.action_right()
        row = next(row for row in painted(view) if "041," in row)
        assert re.search(r" 1 \+ …", row)
        assert "column 160" in painted(view)[-1]
        assert_harmless(view)


@pytest.mark.parametrize("sides", [False, True])
async def test_wrapped_lines_show_all_of_their_text(stage: Staged, git_difference: Difference, sides: bool) -> None:
    view = DiffView()
    words = "".join(f"w{n:03d}漢" for n in range(60))
    async with stage(view, size=(101, 40)) as pilot:
        view.side_by_side = sides
        await loaded(view, pilot, git_difference({"a": b"x\n"}, {"a": words.encode() + b"\n"}))
        view.action_toggle_wrap()
        rows = [row for row in painted(view) if "w0" in row or "漢" in row]
        assert len(rows) > 3
        gutter = 58 if sides else 14
        assert "".join(row[gutter:] for row in rows).replace(" ", "") == words
        assert all(row[:gutter].rstrip().endswith("+") for row in rows)
        assert "wrap" in painted(view)[-1]
        assert_harmless(view)


async def test_wrapped_lines_are_scrolled_by_row_and_end_with_the_last(
    stage: Staged, git_difference: Difference
) -> None:
    view = DiffView()
    async with stage(view, size=(80, 12)) as pilot:
        await loaded(view, pilot, git_difference({"a": b"x\n"}, {"a": b"y" * 1900 + b"END\n"}))
        view.action_toggle_wrap()
        seen = set(painted(view))
        for _ in range(40):
            view.action_page_down()
            await pilot.pause()
            seen.update(painted(view))
        assert any(row.endswith("END") for row in painted(view))
        assert sum(row.count("y") for row in seen) >= 66
        view.action_first()
        assert "━━ a" in painted(view)[0]
        view.action_last()
        assert any(row.endswith("END") for row in painted(view))
        view.search("END")
        await until(pilot, lambda: any(row.endswith("END") for row in painted(view)))


async def test_lines_that_were_cut_count_as_unread_until_all_of_them_was_visible(
    stage: Staged, git_difference: Difference
) -> None:
    view = DiffView()
    long = [b"%d" % n + b"." * 90 + b"end" for n in range(3)]
    async with stage(view, size=(80, 24)) as pilot:
        view.side_by_side = False
        await loaded(view, pilot, git_difference({"a": b"x\n"}, {"a": b"short\n" + b"\n".join(long) + b"\n"}))
        assert view.unread_count == 3
        view.go_to_line(next(n for n in range(view.index.count) if view.index.raw(n).startswith(b"+1.")))
        for _ in range(8):
            view.action_right()
            await pilot.pause()
        assert view.unread_count == 1
        view.go_left_to(0)
        view.action_first()
        view.action_toggle_wrap()
        await pilot.pause()
        assert view.unread_count == 0


async def test_a_jump_to_the_right_does_not_count_as_reading_what_is_before(
    stage: Staged, git_difference: Difference
) -> None:
    view = DiffView()
    async with stage(view, size=(80, 24)) as pilot:
        view.side_by_side = False
        await loaded(view, pilot, git_difference({"a": b"x\n"}, {"a": b"y" * 500 + b"needle\n"}))
        view.search("needle")
        await until(pilot, lambda: any("needle" in row for row in painted(view)))
        assert view.unread_count == 1


@pytest.mark.parametrize("sides", [False, True])
async def test_hostile_text_is_harmless_wrapped_cut_and_scrolled(
    stage: Staged, git_difference: Difference, sides: bool
) -> None:
    text = ("漢" * 200 + "e\u0301" * 90 + "\u1112\u1161\u11ab" * 90 + "\u202e" * 30).encode() + b"\xff\x1b[2J" * 50
    view = DiffView()
    async with stage(view, size=(150, 40)) as pilot:
        view.side_by_side = sides
        await loaded(view, pilot, git_difference({"a": b"x\n"}, {"a": text + b"\n" + b"z" * 3000 + b"\n"}))
        for _ in range(30):
            view.action_right()
            assert_harmless(view)
        view.action_toggle_wrap()
        for _ in range(30):
            view.action_line_down()
            assert_harmless(view)
        assert view.size.width == 150
