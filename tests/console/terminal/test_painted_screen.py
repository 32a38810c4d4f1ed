"""What is written for changed cells makes the same screen as writing everything, and is small."""

from __future__ import annotations

import random

import pyte
import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from hivetui.console.terminal.painted_screen import PaintedScreen

SIZE = Size(60, 20)
STYLES = (Style.parse("#d8d8d2 on #15171a"), Style.parse("bold #e06c6c on #15171a"), Style.parse("reverse"), None)


def seen(screen: pyte.Screen) -> list[list[pyte.screens.Char]]:
    return [[screen.buffer[y][x] for x in range(SIZE.width)] for y in range(SIZE.height)]


class Terminal:
    """A terminal that gets the changes, and what a fresh one shows that gets everything."""

    def __init__(self) -> None:
        self.painted = PaintedScreen()
        self.screen = pyte.Screen(SIZE.width, SIZE.height)
        self.stream = pyte.Stream(self.screen)

    def show(self, rows: list[Strip]) -> int:
        """Show these rows, and compare; the bytes that this took."""
        text = self.painted.changes(LayoutUpdate([[row] for row in rows], SIZE.region), SIZE, ColorSystem.TRUECOLOR)
        self.stream.feed(text.replace("\n", "\r\n"))
        fresh = pyte.Screen(SIZE.width, SIZE.height)
        all_of_it = PaintedScreen().changes(
            LayoutUpdate([[row] for row in rows], SIZE.region), SIZE, ColorSystem.TRUECOLOR
        )
        pyte.Stream(fresh).feed(all_of_it)
        assert self.screen.display == fresh.display
        assert seen(self.screen) == seen(fresh)
        return len(text.encode())


def row(*parts: tuple[str, Style | None]) -> Strip:
    return Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(SIZE.width, STYLES[0])


def random_row(dice: random.Random) -> Strip:
    words = ("agent", "läuft", "日本語", "e\u0301tat", " ", "▲", "running", "12")
    return row(*((dice.choice(words), dice.choice(STYLES)) for _ in range(dice.randrange(9))))


@pytest.mark.slow
def test_any_change_makes_the_screen_that_writing_everything_makes() -> None:
    dice = random.Random(8)
    terminal = Terminal()
    rows = [random_row(dice) for _ in range(SIZE.height)]
    for _ in range(120):
        match dice.randrange(4):
            case 0:
                rows[dice.randrange(SIZE.height)] = random_row(dice)
            case 1:
                by, top = dice.randrange(1, 4), dice.randrange(3)
                rows = [*rows[:top], *rows[top + by : -2], *(random_row(dice) for _ in range(by)), *rows[-2:]]
            case 2:
                by = dice.randrange(1, 4)
                rows = [*(random_row(dice) for _ in range(by)), *rows[:-by]]
            case _:
                rows = [random_row(dice) for _ in range(SIZE.height)]
        terminal.show(rows)


def test_what_did_not_change_costs_nothing_and_a_cell_costs_a_cell() -> None:
    terminal = Terminal()
    rows = [row(("iris", STYLES[1]), (f"  running  {n} MiB", STYLES[0])) for n in range(SIZE.height)]
    assert terminal.show(rows) > SIZE.width * SIZE.height
    assert terminal.show(rows) == 0
    rows[3] = row(("iris", STYLES[1]), ("  running  7 MiB", STYLES[0]))
    assert terminal.show(rows) < 60


def test_a_line_that_is_appended_to_a_full_log_costs_a_line() -> None:
    terminal = Terminal()
    text = [f"{n} " + "word " * (n % 9) for n in range(40)]
    terminal.show([row((line, STYLES[0])) for line in text[:20]])
    assert terminal.show([row((line, STYLES[0])) for line in text[1:21]]) < 3 * SIZE.width
    assert terminal.show([row((line, STYLES[0])) for line in text[:20]]) < 3 * SIZE.width


def test_lines_that_differ_in_few_cells_are_scrolled_too() -> None:
    """Each row would take few cells, but a cursor and colours for each."""
    terminal = Terminal()
    lines = [row(("1" * 9, STYLES[2]), (f" turn {n} of an agent", STYLES[0]), (f" {n}", STYLES[1])) for n in range(99)]
    status = row(("following", STYLES[0]))
    terminal.show([*lines[10:29], status])
    assert terminal.show([*lines[13:32], status]) < 12 * SIZE.width  # it was 28
    assert terminal.show([*lines[10:29], status]) < 12 * SIZE.width  # it was 28


def test_a_part_of_the_screen_is_updated_at_its_place() -> None:
    terminal = Terminal()
    terminal.show([row(("left", STYLES[0])) for _ in range(SIZE.height)])
    chops = [{0: None, 30: Strip([Segment("right".ljust(30), STYLES[1])])} for _ in range(SIZE.height)]
    update = ChopsUpdate(chops, [(4, 30, 60)], [[30, 60]] * SIZE.height)
    terminal.stream.feed(terminal.painted.changes(update, SIZE, ColorSystem.TRUECOLOR))
    assert [line.split() for line in terminal.screen.display[3:6]] == [["left"], ["left", "right"], ["left"]]


def test_after_another_program_wrote_to_the_terminal_everything_is_written_again() -> None:
    terminal = Terminal()
    rows = [row(("iris", STYLES[1])) for _ in range(SIZE.height)]
    everything = terminal.show(rows)
    terminal.stream.feed("\x1b[2JBroadcast message from root")
    terminal.painted.forget()
    assert terminal.show(rows) == everything
