from __future__ import annotations

from collections.abc import Callable

import pytest

from hivetui.widgets.diff.changed_words import changed_words
from hivetui.widgets.diff.index import DiffIndex, Numbers, paths_of
from hivetui.widgets.diff.line_text import header_words, shown_line
from hivetui.widgets.diff.sides import NONE, Sides

Tree = dict[str, bytes]
Difference = Callable[[Tree, Tree], bytes]


def indexed(data: bytes, size: int = 1 << 16) -> DiffIndex:
    index = DiffIndex()
    for start in range(0, len(data), size):
        index.feed(data[start : start + size])
    return index


@pytest.fixture
def difference(git_difference: Difference) -> bytes:
    old = {"agent.nix": b"".join(b"line %d\n" % n for n in range(1, 61)), "b c.txt": b"x\n", "gone": b"-- a\n"}
    new = {"agent.nix": old["agent.nix"].replace(b"line 3\n", b"+++ three\nand more\n").replace(b"line 50\n", b"")}
    return git_difference(old, {**new, "b c.txt": b"x\ny", 'odd"\tname': b"z\n"})


@pytest.mark.parametrize("size", [1, 5, 64, 1 << 16])
def test_files_and_hunks_are_found_however_the_stream_is_cut(difference: bytes, size: int) -> None:
    index = indexed(difference, size)
    assert index.finish() is None
    assert [part.path for part in index.files] == ["agent.nix", "b c.txt", "gone", 'odd"\tname']
    assert [len(part.hunks) for part in index.files] == [2, 1, 1, 1]
    assert [index.added_and_removed(file) for file in range(4)] == [(2, 2), (1, 0), (0, 1), (1, 0)]


def test_line_numbers_are_those_of_the_files(difference: bytes) -> None:
    index = indexed(difference)
    texts = [index.raw(line) for line in range(index.count)]
    assert index.numbers(texts.index(b"-line 3")) == Numbers(3, None)
    assert index.numbers(texts.index(b"++++ three")) == Numbers(None, 3)
    assert index.numbers(texts.index(b" line 53")) == Numbers(53, 53)
    assert index.numbers(texts.index(b"-line 50")) == Numbers(50, None)
    assert index.numbers(texts.index(b" line 2")) == Numbers(2, 2)


def test_text_that_looks_like_a_header_is_taken_for_text(difference: bytes) -> None:
    index = indexed(difference)
    texts = [index.raw(line) for line in range(index.count)]
    assert index.kind(texts.index(b"++++ three")) == "+"
    assert index.kind(texts.index(b"--- a")) == "-"
    assert index.kind(texts.index(b"--- a/agent.nix")) == "h"


def test_a_diff_that_ends_early_is_incomplete(difference: bytes) -> None:
    broken = difference[: difference.index(b"+y\n")]
    assert "last hunk" in (indexed(broken).finish() or "")


def test_a_changed_line_is_paired_with_the_line_it_replaces(difference: bytes) -> None:
    index = indexed(difference)
    texts = [index.raw(line) for line in range(index.count)]
    old, new = texts.index(b"-line 3"), texts.index(b"++++ three")
    assert (index.partner(old), index.partner(new)) == (new, old)
    assert index.partner(texts.index(b"+and more")) is None


@pytest.mark.parametrize("step", [1, 7, 1 << 16])
def test_sides_pair_old_and_new_and_lose_no_line(difference: bytes, step: int) -> None:
    index, sides = indexed(difference), Sides()
    for end in range(step, index.count + step, step):
        sides.extend(index.kinds[:end])
    lines = set(sides.left) | set(sides.right)
    assert lines - {NONE} == set(range(index.count))
    texts = [index.raw(line) for line in range(index.count)]
    row = sides.row_of(texts.index(b"-line 3"))
    assert (texts[sides.left[row]], texts[sides.right[row]]) == (b"-line 3", b"++++ three")
    assert sides.left[row + 1] == NONE


@pytest.mark.parametrize(
    ("header", "paths"),
    [
        (b"diff --git a/x b/x", ("x", "x")),
        (b"diff --git a/x y b/x y", ("x y", "x y")),
        (b"diff --git a/a b/b b/a b/b", ("a b/b", "a b/b")),
        (b'diff --git "a/\\303\\244" "b/\\303\\244"', ("ä", "ä")),
        (b'diff --git "a/t\\tab" "b/t\\tab"', ("t\tab", "t\tab")),
        (b"diff --git a/old b/new", ("old", "new")),
    ],
)
def test_paths_are_read_as_git_writes_them(header: bytes, paths: tuple[str, str]) -> None:
    assert paths_of(header) == paths


def test_whitespace_that_matters_is_visible() -> None:
    assert shown_line(b"a\tb  \r")[:2] == ("a→      b··␍", 0)
    assert shown_line(b"x" * 2500)[1] == 500


def test_modes_are_shown_in_words() -> None:
    assert "symbolic link" in header_words(b"new file mode 120000")
    assert "submodule" in header_words(b"new file mode 160000")
    assert "executable" in header_words(b"new mode 100755")
    assert "binary" in header_words(b"Binary files a/x and b/x differ")


def test_the_words_that_differ_are_found() -> None:
    old, new = "services.foo.enable = true;", "services.foo.enable = false;"
    assert [[text[a:b] for a, b in spans] for text, spans in zip((old, new), changed_words(old, new), strict=True)] == [
        ["true"],
        ["false"],
    ]


def test_lines_that_are_too_long_are_not_compared() -> None:
    assert changed_words("a" * 401, "b" * 401) == ((), ())
