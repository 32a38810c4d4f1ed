"""The tokens of the lines of a difference: by side, by part, also of those in the middle of a huge file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hivetui.engine.model.findings import Side
from hivetui.widgets.diff.coloring import DiffColoring
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.line_text import TextLimits, shown_columns, shown_line
from hivetui.widgets.diff.part_colors import color_part
from tests.widgets.conftest import HOSTILE, Tree

Difference = Callable[[Tree, Tree], bytes]


class Colors:
    """The tokens of a difference."""

    def __init__(self, difference: bytes) -> None:
        self.index = DiffIndex()
        self.index.feed(difference)
        self.index.finish()
        self.coloring = DiffColoring(self.index)
        self.parts = 0

    def line(self, text: bytes) -> int:
        """The line of the difference that is this text with its sign."""
        return next(line for line in range(self.index.count) if self.index.raw(line) == text)

    def of(self, text: bytes, side: Side = "new") -> list[str]:
        """The tokens of a line, once they are known, as `kind:text`."""
        line = self.line(text)
        self.coloring.start_window()
        self.coloring.tokens(line, side)
        while (part := self.coloring.next_part()) is not None:
            self.coloring.take(part, color_part(part))
            self.parts += 1
        assert self.coloring.is_known(line)
        tokens = self.coloring.tokens(line, side)
        return [f"{kind}:{text[1:][start:end].decode()}" for start, end, kind in tokens]


def test_each_side_has_its_own_tokens(git_difference: Difference) -> None:
    old = b"{\n  a = 1;\n  b = 2;\n  c = 3;\n}\n"
    colors = Colors(git_difference({"x.nix": old}, {"x.nix": old.replace(b"  a = 1;\n", b"  /* a\n")}))
    assert colors.of(b"-  a = 1;", "old") == ["name:a", "constant:1"]
    assert colors.of(b"+  /* a") == ["comment:/* a"]
    assert colors.of(b"   b = 2;", "old") == ["name:b", "constant:2"]
    assert colors.of(b"   b = 2;", "new") == ["comment:  b = 2;"]


def test_a_hunk_that_begins_inside_a_string_is_a_string_to_its_end(git_difference: Difference) -> None:
    above = b"{\n  x = ''\n" + b"".join(b"    echo word%d more\n" % n for n in range(20))
    old = above + b"    mkdir -p if\n  '';\n  y = 1;\n}\n"
    colors = Colors(git_difference({"x.nix": old}, {"x.nix": old.replace(b" if\n", b" then\n")}))
    assert colors.of(b"-    mkdir -p if", "old") == ["string:    mkdir -p if"]
    assert colors.of(b"+    mkdir -p then") == ["string:    mkdir -p then"]
    assert colors.of(b"   y = 1;") == ["name:y", "constant:1"]


@pytest.mark.parametrize("is_text", [True, False])
def test_the_middle_of_a_huge_file_is_coloured_without_what_is_above(git_difference: Difference, is_text: bool) -> None:
    lines = (b"  let word%d = if;\n" % n for n in range(50_000))
    start = b"{\n  x = ''\n" if is_text else b"{\n"
    colors = Colors(git_difference({}, {"x.nix": start + b"".join(lines)}))
    if is_text:  # what is open is known from the start of the file on, if that is not too far above
        assert colors.of(b"+  let word3000 = if;") == ["string:  let word3000 = if;"]
    else:
        assert colors.of(b"+  let word25000 = if;") == ["keyword:let", "name:word25000", "keyword:if"]
    assert colors.parts == 3  # with its neighbours


def test_parts_that_follow_each_other_know_what_is_open(git_difference: Difference) -> None:
    text = b"{\n  x = ''\n" + b"".join(b"    a%d = 1;\n" % n for n in range(10_000)) + b"  '';\n  y = 1;\n}\n"
    colors = Colors(git_difference({}, {"x.nix": text}))
    for number in range(0, 10_000, 2000):
        assert colors.of(b"+    a%d = 1;" % number) == [f"string:    a{number} = 1;"]
    assert colors.of(b"+  y = 1;") == ["name:y", "constant:1"]


def test_lines_that_come_later_are_coloured_too(git_difference: Difference) -> None:
    data = git_difference({}, {"x.nix": b"{\n  a = ''\n    b = 1;\n  '';\n}\n"})
    colors = Colors(data[: data.index(b"+    b")])
    assert colors.of(b"+  a = ''") == ["name:a", "string:''"]
    colors.index.feed(data[data.index(b"+    b") :])
    assert colors.of(b"+    b = 1;") == ["string:    b = 1;"]


def test_other_files_are_not_coloured(git_difference: Difference) -> None:
    colors = Colors(git_difference({}, {"x.txt": b"let a = 1;\n"}))
    assert colors.of(b"+let a = 1;") == []
    assert colors.parts == 0


@pytest.mark.parametrize("limits", [TextLimits(), TextLimits(16), TextLimits(16, 40)])
def test_each_byte_has_its_column_in_the_shown_text(limits: TextLimits) -> None:
    texts = [text.encode("utf-8", "surrogateescape").replace(b"\n", b" ") for text in HOSTILE]
    texts += [
        b"a = 1;",
        b"\ta\t= 1;  ",
        b"a" + b" " * 90 + b"b\r",
        b"\xc3\xa9 \xff = '\xf0\x9f\x8f\xbd'",
        b"",
        b"x" * 99,
    ]
    for raw in texts:
        shown = shown_line(raw, limits).text
        columns = shown_columns(raw, range(len(raw) + 1), limits)
        assert columns[0] == 0
        assert list(columns) == sorted(columns)
        assert columns[-1] == len(shown), (raw, shown)
        for at in range(len(raw)):
            if raw[at : at + 1].isalnum() and columns[at] < len(shown):
                assert shown[columns[at]] == chr(raw[at]), (raw, shown, at)
