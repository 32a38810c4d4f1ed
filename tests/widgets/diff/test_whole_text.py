"""Texts of any length, opened whole: nothing of them is left out, and their end is known to have been visible."""

from __future__ import annotations

import pytest

from hivetui.widgets.diff.whole_text import WholeText
from tests.widgets.conftest import HOSTILE, Staged, assert_harmless, painted, until


def rows(view: WholeText) -> list[str]:
    """The painted rows without the status line."""
    return painted(view)[:-1]


async def test_a_long_line_is_shown_from_its_beginning_to_its_end(stage: Staged) -> None:
    view, line = WholeText(), "".join(f"{number:05}" for number in range(2000))
    async with stage(view, size=(81, 11)) as pilot:
        view.show(f"first\n{line}\nlast")
        await pilot.pause()
        assert rows(view)[0] == "first"
        assert not view.is_read
        shown = list(rows(view))
        while not view.is_read:
            view.scroll_rows(view.page)
            await pilot.pause()
            shown += rows(view)
        assert line in "".join(dict.fromkeys(shown))
        assert rows(view)[-1] == "last"
        assert painted(view)[-1] == "end"


async def test_the_end_of_a_line_of_many_megabytes_is_one_key_away(stage: Staged) -> None:
    view = WholeText()
    async with stage(view, size=(80, 24)) as pilot:
        view.show("x" * 10_000_000 + "END")
        await pilot.pause()
        assert painted(view)[-1] == "0 %, more below"
        view.action_page_down()
        await pilot.pause()
        assert not view.is_read
        view.action_last()
        await until(pilot, lambda: view.is_read)
        assert rows(view)[-1].endswith("END")
        view.action_first()
        await pilot.pause()
        assert rows(view)[0] == "x" * 79


async def test_a_short_text_is_read_at_once_and_the_next_one_is_not(stage: Staged) -> None:
    view = WholeText()
    async with stage(view, size=(80, 24)) as pilot:
        view.show("short")
        await until(pilot, lambda: view.is_read)
        view.show("line\n" * 100)
        assert not view.is_read
        await pilot.pause()
        assert not view.is_read


async def test_what_is_at_the_top_stays_there_when_the_terminal_is_resized(stage: Staged) -> None:
    view = WholeText()
    async with stage(view, size=(80, 24)) as pilot:
        view.show("\n".join(f"line {number}" for number in range(200)))
        view.go_to(100)
        await pilot.resize_terminal(40, 12)
        await pilot.pause()
        assert rows(view)[0] == "line 100"


@pytest.mark.parametrize("size", [(20, 6), (80, 24)])
async def test_hostile_text_is_harmless_in_parts_of_any_width(stage: Staged, size: tuple[int, int]) -> None:
    view = WholeText()
    async with stage(view, size=size) as pilot:
        view.show("\n".join([*HOSTILE, "".join(HOSTILE) * 3, "e" + "\u0301" * 3000, " " * 3000, "\udc80" * 900]))
        while not view.is_read:
            assert_harmless(view)
            view.action_page_down()
            await pilot.pause()
        assert_harmless(view)
