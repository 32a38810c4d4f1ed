"""Notes below their lines, in every layout, and the cursor that chooses lines."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.note_places import ChosenLines, ShownNote
from hivetui.widgets.diff.rows import DiffRows
from tests.widgets.conftest import HOSTILE, Staged, Tree, assert_harmless, painted, until

Difference = Callable[[Tree, Tree], bytes]
OLD = {"agent.nix": b"".join(b"  line%d = %d;\n" % (n, n) for n in range(1, 31))}
NEW = {
    "agent.nix": OLD["agent.nix"].replace(b"  line3 = 3;\n", b"  line3 = 33;\n  more = 4;\n").replace(b"20;", b"21;")
}
NOTES = (
    ShownNote("new", "agent.nix", 4, "Why more?"),
    ShownNote("old", "agent.nix", 3, "Keep it", "touched #6:", "touched"),
    ShownNote("new", "agent.nix", 4, "Second"),
    ShownNote("new", "agent.nix", 99, "Nowhere"),
)


@pytest.mark.parametrize("is_paired", [False, True])
def test_rows_and_lines_are_translated_both_ways_with_rows_inserted(
    git_difference: Difference, is_paired: bool
) -> None:
    index = DiffIndex()
    index.feed(git_difference(OLD, NEW))
    rows, choose = DiffRows(index), random.Random(1)
    rows.show_sides(is_paired)
    while not rows.pair_visible(0):
        pass
    before = [rows.lines_of(row) for row in range(len(rows))]
    for _ in range(50):
        lines = sorted(choose.choices(range(index.count), k=choose.randrange(6)))
        rows.insert(lines)
        plain = [row for row in range(len(rows)) if rows.inserted_at(row) is None]
        assert [rows.lines_of(row) for row in plain] == before
        inserted = {place: row for row in range(len(rows)) if (place := rows.inserted_at(row)) is not None}
        assert sorted(inserted) == list(range(len(lines)))
        for place, row in inserted.items():
            assert lines[place] in rows.lines_of(row)
        for line in range(index.count):
            assert line in rows.lines_of(rows.row_of(line))
            assert rows.inserted_at(rows.row_of(line)) is None


def test_a_line_is_found_by_its_number_as_soon_as_it_has_come(git_difference: Difference) -> None:
    data = git_difference(OLD, NEW)
    whole = DiffIndex()
    whole.feed(data)
    for line in range(whole.count):
        numbers = whole.numbers(line)
        if numbers.old is not None:
            assert whole.find_line("agent.nix", numbers.old, True) == line
        if numbers.new is not None:
            assert whole.find_line("agent.nix", numbers.new, False) == line
    part = DiffIndex()
    part.feed(data[: data.index(b"+  more")])
    assert part.find_line("agent.nix", 3, False) is not None
    assert part.find_line("agent.nix", 4, False) is None


@pytest.mark.parametrize("layout", ["unified", "wrapped", "paired"])
async def test_notes_stand_below_their_lines(stage: Staged, git_difference: Difference, layout: str) -> None:
    view = DiffView()
    async with stage(view, size=(100, 40)) as pilot:
        view.side_by_side = layout == "paired"
        view.wrap = layout == "wrapped"
        view.show_notes(NOTES)
        view.start()
        data = git_difference(OLD, NEW)
        for start in range(0, len(data), 100):
            view.feed(data[start : start + 100])
        view.finish()
        view.resized()
        await until(pilot, lambda: any("Why more?" in row for row in painted(view)))
        rows = painted(view)
        more = next(at for at, row in enumerate(rows) if "more = 4" in row)
        assert [row.strip() for row in rows[more + 1 : more + 3]] == ["✎ Why more?", "✎ Second"]
        kept = next(at for at, row in enumerate(rows) if "✎ touched #6: Keep it" in row)
        assert "line3" in rows[kept - 1]
        assert view.hidden_notes == 1


async def test_long_and_hostile_notes_are_cut_with_a_count_and_harmless(
    stage: Staged, git_difference: Difference
) -> None:
    view = DiffView()
    async with stage(view, size=(60, 30)) as pilot:
        view.side_by_side = False
        view.start()
        view.feed(git_difference(OLD, NEW))
        view.finish()
        notes = [ShownNote("new", "agent.nix", 5, text) for text in HOSTILE]
        view.show_notes([ShownNote("new", "agent.nix", 4, "x" * 200), *notes])
        await until(pilot, lambda: any("✎ xxx" in row for row in painted(view)))
        assert any("✎ xxx" in row and "… (+" in row for row in painted(view))
        assert_harmless(view)
        view.action_toggle_wrap()
        await until(pilot, lambda: sum("xxxxxxxx" in row for row in painted(view)) == 5)


async def test_the_cursor_chooses_lines_and_moves_the_window(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view, size=(80, 8)) as pilot:
        view.side_by_side = False
        view.start()
        view.feed(git_difference(OLD, NEW))
        view.finish()
        view.show_notes(NOTES)
        assert view.choose_lines(True)
        assert view.chosen == ChosenLines("new", "agent.nix", 1, 1)
        for _ in range(2):
            view.action_line_down()
        assert view.chosen == ChosenLines("old", "agent.nix", 3, 3)
        view.action_line_down()
        view.toggle_anchor()
        view.action_line_down()
        view.action_line_down()
        assert view.chosen == ChosenLines("new", "agent.nix", 3, 5)
        await pilot.pause()
        assert any("line4" in row for row in painted(view))
        view.toggle_anchor()
        view.next_hunk()
        assert view.chosen == ChosenLines("new", "agent.nix", 18, 18)
        view.previous_hunk()
        assert view.chosen == ChosenLines("new", "agent.nix", 1, 1)
        view.action_last()
        assert view.chosen == ChosenLines("new", "agent.nix", 24, 24)
        view.action_page_up()
        view.action_page_up()
        view.action_page_up()
        view.action_page_up()
        assert view.chosen == ChosenLines("new", "agent.nix", 1, 1)
        view.choose_lines(False)
        assert view.chosen is None


async def test_a_diff_without_lines_has_nothing_to_choose(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view) as _:
        view.start()
        view.finish()
        assert not view.choose_lines(True)
        assert view.chosen is None
