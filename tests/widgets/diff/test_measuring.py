"""Finding the lines that are cut: in short steps beside what a person does, and exactly those that are painted cut."""

from __future__ import annotations

import asyncio
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.model.text import cells
from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.line_text import TextLimits, is_wider, shown_line
from hivetui.widgets.diff.text import DiffText
from tests.widgets.conftest import Staged, painted, until

SIZE = 1_500_000
CYRILLIC = "жук ".encode() * 70
STACKED = "e\u0301\u0302\u0303\u0304".encode()
STEP_SECONDS = 0.05
"""Far more than a step takes, and far less than the lines together."""


def added(lines: list[bytes], first: int = 1) -> bytes:
    """The diff of a file in which these lines are added, the first of them as line `first`."""
    head = b"diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -%d,0 +%d,%d @@\n" % (first, first, len(lines))
    return head + b"".join(b"+" + line + b"\n" for line in lines)


def load(view: DiffView, data: bytes) -> None:
    view.start()
    for at in range(0, len(data), 65_536):
        view.feed(data[at : at + 65_536])
    view.finish()


async def test_the_loop_goes_on_while_many_long_lines_are_measured(stage: Staged) -> None:
    view = DiffView()
    lines = [CYRILLIC] * (SIZE // len(CYRILLIC))
    async with stage(view, size=(80, 24)) as pilot:
        load(view, added(lines))
        turns = 0
        while not view.is_measured:
            assert view.unread_count < len(lines)
            await asyncio.sleep(0)
            turns += 1
        assert turns > 20
        assert view.unread_count == len(lines)
        await until(pilot, lambda: f"{len(lines)} cut, z: read" in painted(view)[-1])


async def test_a_view_that_is_resized_is_measured_anew_and_says_so_until_it_is(stage: Staged) -> None:
    view = DiffView()
    lines = [CYRILLIC] * (SIZE // len(CYRILLIC))
    async with stage(view, size=(80, 24)) as pilot:
        load(view, added(lines))
        await until(pilot, lambda: view.is_measured)
        view.action_toggle_wrap()
        assert not view.is_measured
        assert "finding cut lines …" in painted(view)[-1]
        view.action_toggle_wrap()
        assert not view.is_measured
        view.start()
        load(view, added([b"short"]))
        assert view.is_measured
        await pilot.pause(0.05)  # the steps of the diffs before would have gone on by now
        assert (view.is_measured, view.unread_count) == (True, 0)


@pytest.mark.parametrize("size", [2000, 65_536], ids=["cut", "wrapped"])
@pytest.mark.parametrize(
    "line",
    [
        "ж".encode() * 30_000,
        STACKED * 6,
        STACKED * 7000,
        "\u202e".encode() * 600,
        b"x" + b" \t" * 30_000,
        (b"x" + b" " * 40) * 1500,
        b"x    " * 13_000,
        b"\tx" * 9,
    ],
    ids=["letters", "marks", "many marks", "hidden", "blanks", "runs of blanks", "short runs", "tabs"],
)
def test_no_step_of_measuring_depends_on_the_length_of_a_line(line: bytes, size: int) -> None:
    index = DiffIndex()
    index.feed(added([line] * (2 * SIZE // len(line))))
    text = DiffText(index, {})
    text.limits = TextLimits(33, size)
    longest, before = 0.0, thread_time()
    for found in text.wider_than(80, 66):
        if found is None:
            longest, before = max(longest, thread_time() - before), thread_time()
    assert longest < STEP_SECONDS


PIECES = st.sampled_from(
    [
        "x",
        "ж",
        "漢",
        "e\u0301",
        "\u0301",
        " ",
        "    ",
        " " * 40,
        "\t",
        "\t\t\t\t\t",
        "\r",
        "\u202e",
        "\udc80",
        "\u1161",
        "·",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join), st.integers(1, 60), st.sampled_from([(16, 2000), (30, 50)]))
def test_a_line_is_wider_exactly_if_what_is_shown_of_it_does_not_fit(
    text: str, width: int, limits: tuple[int, int]
) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    shown = shown_line(raw, TextLimits(*limits))
    assert is_wider(raw, width, TextLimits(*limits)) is (bool(shown.hidden) or cells(shown.text) > width)


@pytest.mark.parametrize("sides", [False, True])
@pytest.mark.parametrize("first", [1, 99_998, 100_000, 12_345_678])
async def test_the_lines_that_are_painted_cut_are_those_that_count_as_cut(
    stage: Staged, first: int, sides: bool
) -> None:
    """High numbers of lines take more cells, and leave fewer to the text."""
    view = DiffView()
    async with stage(view, size=(100, 40)) as pilot:
        view.side_by_side = sides
        load(view, added([b"y" * length for length in range(34, 87) if not sides or length < 60], first))
        await pilot.pause()
        for top in (4, 30):
            view.go_to(top)
            await pilot.pause()
            for row, line in enumerate(range(view.line, min(view.line + view.page, view.index.count))):
                assert (line in view.reading.cut) is ("… (+" in painted(view)[row]), painted(view)[row]
