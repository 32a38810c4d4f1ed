from __future__ import annotations

import re
from collections.abc import Callable
from time import perf_counter

import pytest
from textual import on
from textual.app import App, ComposeResult

from hivetui.engine.model.proposals import FileChange, FileStatus
from hivetui.widgets.diff.diff_view import DiffView
from tests.widgets.conftest import HOSTILE, Staged, Tree, assert_harmless, painted, until

Difference = Callable[[Tree, Tree], bytes]
OLD = {"agent.nix": b"".join(b"  line%d = %d;\n" % (n, n) for n in range(1, 101)), "b.txt": b"x\n"}
NEW = {"agent.nix": OLD["agent.nix"].replace(b"= 3;", b"= 33;").replace(b"= 90;", b"= 91;"), "b.txt": b"y\n"}


def change(path: str, **other: object) -> FileChange:
    fields: dict[str, object] = {"additions": 1, "deletions": 1, "old_mode": "100644", "new_mode": "100644"}
    fields |= {"old_path": None, "status": FileStatus.MODIFIED, "old_blob": "1" * 40, "new_blob": "2" * 40}
    return FileChange.model_validate({"path": path, **fields, **other})


class Listening(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.view = DiffView()
        self.loaded: list[tuple[bool, str | None]] = []
        self.reached: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.view

    @on(DiffView.DifferenceLoaded)
    def hear_loaded(self, message: DiffView.DifferenceLoaded) -> None:
        self.loaded.append((message.complete, message.problem))

    @on(DiffView.FileReached)
    def hear_reached(self, message: DiffView.FileReached) -> None:
        self.reached.append(message.path)


async def test_a_diff_is_painted_before_it_is_complete(stage: Staged, git_difference: Difference) -> None:
    data = git_difference(OLD, NEW)
    view = DiffView()
    async with stage(view) as pilot:
        view.start([change("agent.nix"), change("b.txt")])
        view.feed(data[:200])
        await until(pilot, lambda: "agent.nix" in painted(view)[0])
        assert "loading" in painted(view)[-1]
        assert not view.complete
        assert view.missing == ("b.txt",)
        view.feed(data[200:])
        view.finish()
        await until(pilot, lambda: "file 1/2, complete" in painted(view)[-1])
        assert view.complete
        assert view.missing == ()


async def test_a_message_says_whether_the_diff_was_loaded_completely(git_difference: Difference) -> None:
    data = git_difference(OLD, NEW)
    app = Listening()
    async with app.run_test() as pilot:
        for part, problem in ((data, None), (data[:-5], None), (data, "git ended with 128")):
            app.view.start()
            app.view.feed(part)
            app.view.finish(problem)
            await pilot.pause()
        assert app.loaded[0] == (True, None)
        assert app.loaded[1][0] is False
        assert app.loaded[2] == (False, "git ended with 128")
        await until(pilot, lambda: "incomplete: git ended with 128" in painted(app.view)[-1])


async def test_keys_go_through_hunks_and_files(git_difference: Difference) -> None:
    app = Listening()
    async with app.run_test(size=(80, 8)) as pilot:
        app.view.feed(git_difference(OLD, NEW))
        app.view.finish()
        await pilot.pause(0.1)
        app.view.next_hunk()
        assert painted(app.view)[0].startswith("@@ -1,6")
        app.view.next_hunk()
        assert painted(app.view)[0].startswith("@@ -87,7")
        app.view.next_file()
        assert app.view.current_path == "b.txt"
        app.view.previous_file()
        app.view.previous_hunk()
        assert app.view.current_path == "agent.nix"
        await pilot.pause()
        assert app.reached == ["agent.nix", "b.txt", "agent.nix"]
        assert app.view.go_to_file("b.txt")
        assert not app.view.go_to_file("nowhere")


async def test_line_numbers_signs_and_words_are_shown(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view) as pilot:
        view.feed(git_difference(OLD, NEW))
        view.finish()
        await until(pilot, lambda: "    3       -   line3 = 3;" in painted(view))
        assert "          3 +   line3 = 33;" in painted(view)
        strip = view.render_line(painted(view).index("          3 +   line3 = 33;"))
        bold = [segment.text for segment in strip if segment.style and segment.style.bold]
        assert bold == ["33"]


def color_of(view: DiffView, text: str) -> object:
    """The colour of a piece of the visible text; None if no piece of one style is this text."""
    segments = (segment for y in range(view.size.height) for segment in view.render_line(y))
    return next((segment.style.color for segment in segments if segment.text == text and segment.style), None)


@pytest.mark.parametrize("side_by_side", [False, True])
async def test_the_middle_of_a_huge_file_is_painted_plain_and_then_gets_its_colours(
    stage: Staged, git_difference: Difference, side_by_side: bool
) -> None:
    view = DiffView()
    async with stage(view, size=(100, 20)) as pilot:
        view.side_by_side = side_by_side
        view.feed(git_difference({}, {"x.nix": b"{\n" + b"".join(b"  word%d = if;\n" % n for n in range(50_000))}))
        view.finish()
        for number in (25_000, 49_900, 300):
            line = number + 7
            view.go_to_line(line)
            assert color_of(view, f"word{number}") is None
            await until(pilot, lambda number=number: color_of(view, f"word{number}"))  # type: ignore[misc]
            assert color_of(view, f"word{number}") == view.style_of("diff--name").color
            assert color_of(view, "if") == view.style_of("diff--keyword").color


async def test_a_changed_word_is_marked_beside_the_colours_of_tokens(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view) as pilot:
        view.feed(git_difference({"x.nix": b"{ a = true; }\n"}, {"x.nix": b"{ a = null; }\n"}))
        view.finish()
        await until(pilot, lambda: color_of(view, "a") == view.style_of("diff--name").color)
        segments = (segment for y in range(view.size.height) for segment in view.render_line(y))
        assert [one.text for one in segments if one.style and one.style.bold and one.text in "true null"] == [
            "true",
            "null",
        ]


async def test_a_wide_view_is_side_by_side(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view, size=(150, 24)) as pilot:
        view.feed(git_difference(OLD, NEW))
        view.finish()
        await until(pilot, lambda: any("line3 = 3;" in line and "line3 = 33;" in line for line in painted(view)))
        view.action_toggle_sides()
        assert not any("line3 = 3;" in line and "line3 = 33;" in line for line in painted(view))
        assert any("line3 = 33;" in line for line in painted(view))


async def test_toggling_sides_stays_at_the_line(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view, size=(100, 8)) as pilot:
        view.feed(git_difference(OLD, NEW))
        view.finish()
        await pilot.pause(0.1)
        view.next_hunk()
        view.next_hunk()
        line = view.line
        view.action_toggle_sides()
        assert view.line == line
        view.action_toggle_sides()
        assert view.line == line


@pytest.mark.parametrize("width", [60, 160])
async def test_a_search_shows_what_it_found_beyond_the_right_edge(
    stage: Staged, git_difference: Difference, width: int
) -> None:
    view = DiffView()
    async with stage(view, size=(width, 10)) as pilot:
        view.feed(git_difference({"a": b"x\n"}, {"a": b"y" * 300 + b"needle\n"}))
        view.finish()
        view.search("needle")
        await until(pilot, lambda: any("yneedle" in row for row in painted(view)))


async def test_a_search_goes_to_its_matches(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view, size=(80, 8)) as pilot:
        view.feed(git_difference(OLD, NEW))
        view.finish()
        view.search("= 91")
        await until(pilot, lambda: any("line90 = 91" in line for line in painted(view)))
        view.search("nowhere")
        await until(pilot, lambda: "no match" in painted(view)[-1])


async def test_special_files_and_line_endings_are_shown_in_words(stage: Staged, git_difference: Difference) -> None:
    view = DiffView()
    async with stage(view, size=(100, 30)) as pilot:
        view.start([change("crlf"), change("bin", additions=None, deletions=None, old_size=2, new_size=10240)])
        view.feed(git_difference({"crlf": b"a\r\n", "bin": b"\0\1"}, {"crlf": b"a \r\n\tb", "bin": b"\0\2"}))
        view.finish()
        await until(pilot, lambda: painted(view)[0])
        text = "\n".join(painted(view))
        assert "a·␍" in text
        assert "→       b" in text
        assert "no newline at end" in text
        assert "modified  binary 2B→10K" in text
        assert "‹U+0000›‹U+0002›" in text


async def test_an_empty_diff_says_so(stage: Staged) -> None:
    view = DiffView()
    async with stage(view) as pilot:
        view.start()
        assert "Loading diff" in painted(view)[0]
        view.finish()
        await until(pilot, lambda: "No differences" in painted(view)[0])


async def test_a_hostile_diff_does_no_harm_and_stays_fast(stage: Staged, git_difference: Difference) -> None:
    lines = [text.encode("utf-8", "surrogateescape").replace(b"\n", b" ") for text in HOSTILE]
    long = b'x = "' + b"\x1b[31m" * 2_000_000 + b'";'
    old = {"evil [red]\u202e.nix": b"\n".join([b"a", *lines, long]), "a\n\x1b[2Jb": b"1\n"}
    new = {
        "evil [red]\u202e.nix": b"\n".join([b"b", *(line + b"!" for line in lines), long + b"!"]),
        "a\n\x1b[2Jb": b"2\n",
    }
    data = git_difference(old, new)
    view = DiffView()
    async with stage(view, size=(120, 50)) as pilot:
        began = perf_counter()
        for start in range(0, len(data), 256 * 1024):
            view.feed(data[start : start + 256 * 1024])
        view.finish()
        await until(pilot, lambda: "‹U+202E›" in "".join(painted(view)))
        for act in (view.action_toggle_sides, view.action_last, view.action_toggle_sides, view.action_first):
            act()
            await pilot.pause()
            assert_harmless(view)
        view.search("31m")
        await pilot.pause()
        assert_harmless(view)
        assert view.complete
        assert perf_counter() - began < 5


async def test_every_file_of_a_short_diff_can_be_at_the_top_and_is_then_the_current_one(
    git_difference: Difference,
) -> None:
    app = Listening()
    names = [f"f{n}" for n in range(5)]
    async with app.run_test(size=(100, 60)) as pilot:
        app.view.feed(git_difference({}, dict.fromkeys(names, b"x\n")))
        app.view.finish()
        for number, name in enumerate(names):
            await until(pilot, lambda name=name: f"━━ {name} " in painted(app.view)[0])  # type: ignore[misc]
            assert app.view.current_path == name
            assert f"file {number + 1}/5" in painted(app.view)[-1]
            app.view.next_file()
        app.view.action_line_down()
        assert app.view.current_path == "f4"
        app.view.action_first()
        await pilot.pause()
        assert app.reached == [*names, "f0"]


async def test_a_type_change_is_one_file(stage: Staged, git_difference: Difference) -> None:
    data = git_difference({"a": b"x\n", "b": b"x\n"}, {"b": b"y\n"})
    new = data.index(b"diff --git a/b")
    link = b"diff --git a/a b/a\nnew file mode 120000\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+to\n"
    view = DiffView()
    async with stage(view) as pilot:
        view.feed(data[:new] + link + data[new:])
        view.finish()
        await until(pilot, lambda: "file 1/2, complete" in painted(view)[-1])
        view.next_file()
        assert view.current_path == "b"


async def test_a_search_counts_what_it_finds_and_follows_the_pattern_as_it_is_typed(
    stage: Staged, git_difference: Difference
) -> None:
    view = DiffView()
    async with stage(view, size=(80, 12)) as pilot:
        view.feed(git_difference(OLD, NEW))
        view.finish()
        view.preview_search("line")
        await until(pilot, lambda: re.search(r"search /line/ 1 of \d\d", painted(view)[-1]))
        first = view.current_match
        view.preview_search("line90")
        await until(pilot, lambda: "search /line90/ 1 of 2" in painted(view)[-1])
        assert view.current_match != first
        view.action_next_match()
        await until(pilot, lambda: "search /line90/ 2 of 2" in painted(view)[-1])
        view.cancel_search()
        await until(pilot, lambda: "search /" not in painted(view)[-1])


async def test_in_the_status_line_a_long_path_pushes_out_nothing_else(
    stage: Staged, git_difference: Difference
) -> None:
    path = "examples/flakes/beta/modules/agent/services/very/deep/default-configuration.nix"
    view = DiffView()
    async with stage(view, size=(80, 12)) as pilot:
        view.feed(git_difference({}, {path: b"x\n", "z.txt": b"y\n"}))
        view.finish()
        await until(pilot, lambda: "configuration.nix, file 1/2, complete" in painted(view)[-1])
        assert f"{view.index.count} lines" in painted(view)[-1]
        assert "…" in painted(view)[-1]
        view.preview_search("new")
        await until(pilot, lambda: "search /new/ 1 of" in painted(view)[-1])
        assert re.search(r"…\S+\.nix, file 1/2, complete", painted(view)[-1])
