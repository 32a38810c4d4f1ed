"""What of a diff counts as read: the whole of each line that does not fit, seen in the view or opened."""

from __future__ import annotations

from collections.abc import Callable

from hivetui.engine.model.proposals import FileChange, FileStatus
from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.diff.line_text import TextLimits, shown_line
from tests.widgets.conftest import Staged, Tree, painted, until

Difference = Callable[[Tree, Tree], bytes]
LONG = b"y" * 100


def changed(path: str, new_blob: str = "b" * 40) -> FileChange:
    return FileChange(
        path=path, old_path=None, status=FileStatus.MODIFIED, additions=1, deletions=1,
        old_mode="100644", new_mode="100644", old_blob="a" * 40, new_blob=new_blob,
    )  # fmt: skip


def load(view: DiffView, data: bytes, *files: FileChange) -> None:
    view.start(files)
    view.feed(data)
    view.finish()


def places(view: DiffView) -> list[str]:
    """Where what is cut and was not read stands."""
    return [view.describe_place(line) for line in view.reading.unread_from(0)]


async def test_removed_lines_context_and_paths_that_are_cut_count_as_added_lines_do(
    stage: Staged, git_difference: Difference
) -> None:
    path = "p" * 90
    old, new = LONG + b"\n" + LONG + b"old\nx\n", LONG + b"\n" + LONG + b"new\nx\n"
    view = DiffView()
    async with stage(view, size=(80, 24)) as pilot:
        load(view, git_difference({path: old}, {path: new}))
        assert places(view) == [f"the path {path}", f"{path}:1", f"{path}:2 (removed)", f"{path}:2"]
        assert view.whole_text(view.reading.first_unread) == path
        await until(pilot, lambda: "4 cut, z: read" in painted(view)[-1])
        view.action_toggle_wrap()
        await until(pilot, lambda: view.unread_count == 0)
        assert path[-20:] in "".join(row.strip() for row in painted(view)[:3])


async def test_a_line_longer_than_wrapping_shows_is_read_only_where_it_is_opened(
    stage: Staged, git_difference: Difference
) -> None:
    view = DiffView()
    async with stage(view, size=(80, 24)) as pilot:
        load(view, git_difference({"a": b"x\n"}, {"a": b"y" * 70_000 + b"END\n"}))
        view.action_toggle_wrap()
        for _ in range(80):
            view.action_page_down()
            await pilot.pause()
        assert places(view) == ["a:1"]
        line = view.reading.first_unread
        assert view.whole_text(line) == "y" * 70_000 + "END"
        view.mark_read(line)
        assert view.unread_count == 0


async def test_only_what_was_visible_counts_when_wrapped_lines_are_measured_beyond_the_screen(
    stage: Staged, git_difference: Difference
) -> None:
    view = DiffView()
    async with stage(view, size=(80, 12)) as pilot:
        text = b"\n".join([LONG, *(b"%d" % number for number in range(60)), LONG + b"end"])
        load(view, git_difference({"a": b"x\n"}, {"a": text + b"\n"}))
        view.action_toggle_wrap()
        await pilot.pause()
        for _ in range(3):
            view.action_line_down()
            await pilot.pause()
        assert places(view) == ["a:62"]


async def test_what_was_read_stays_read_in_another_load_as_long_as_the_file_is_the_same(
    stage: Staged, git_difference: Difference
) -> None:
    view = DiffView()
    data = git_difference({"a": b"x\n"}, {"a": LONG + b"\n"})
    async with stage(view, size=(80, 24)) as pilot:
        load(view, data, changed("a"))
        assert places(view) == ["a:1"]
        view.mark_read(view.reading.first_unread)
        for _ in range(2):
            load(view, data, changed("a"))
            await pilot.pause()
            assert view.unread_count == 0
        load(view, data, changed("a", new_blob="c" * 40))
        assert places(view) == ["a:1"]


async def test_a_narrower_view_cuts_other_lines(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view, size=(130, 24)) as pilot:
        load(view, git_difference({"a": b"x\n"}, {"a": b"short\n" * 60 + LONG + b"\n"}))
        await pilot.pause()
        assert view.unread_count == 0
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert places(view) == ["a:61"]


def test_a_line_of_many_blanks_takes_no_longer_than_another() -> None:
    """Looking for the blanks at the end from each of them would take minutes."""
    assert shown_line(b"x" + b" " * 60_000 + b"y", TextLimits(16, 65_536)).text == "x‹60000 spaces›y"
