"""What the palettes are on each kind of terminal, in the parameters that are really sent to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import combinations, product

import pytest
from rich.color import Color, ColorSystem
from rich.style import Style
from textual.widget import Widget

from hivetui.app import HiveConsole
from hivetui.console import themes
from hivetui.console.terminal.colors import MINIMUM_CONTRAST, TERMINALS, contrast, sgr
from hivetui.engine.api import Hive
from hivetui.screens.base import utc_now
from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.log.log_view import LogView
from hivetui.widgets.operation.steps_view import StepsView
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Column
from tests.console.conftest import Home, Opened

NOT_READ = {"lines--thumb", "lines--track"}
DEPTHS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}
Shown = dict[str, tuple[Color, Color]]
"""Text and background of each style, by the name of its component class."""


async def never() -> Hive:
    await asyncio.Event().wait()
    raise AssertionError


def sent(style: Style, colors: ColorSystem) -> tuple[Color, Color]:
    """The colours in the parameters, reversed if they say so."""
    codes = iter(sgr(style, colors, True).split(";"))
    found: dict[int, Color] = {}
    is_reversed = False
    for code in map(int, codes):
        if code in (38, 48):
            kind = next(codes)
            number = Color.from_ansi(int(next(codes))) if kind == "5" else None
            found[code] = number or Color.from_rgb(*(float(next(codes)) for _ in range(3)))
        elif code // 10 in (3, 4, 9, 10) and code > 9:
            found[38 if code // 10 in (3, 9) else 48] = Color.from_ansi(code % 10 + (8 if code >= 90 else 0))
        is_reversed |= code == 7
    return (found[48], found[38]) if is_reversed else (found[38], found[48])


def component_styles(widget: Widget) -> Iterator[tuple[str, Style]]:
    """Every style of a view; of a diff, also those of syntax on added and removed lines."""
    yield "plain", widget.rich_style
    for name in widget._get_component_classes():
        yield name, widget.get_component_rich_style(name)
    if isinstance(widget, DiffView):
        for line, part in product(("added", "removed"), ("comment", "string", "keyword", "constant", "name", "path")):
            color = widget.get_component_rich_style(f"diff--{part}").color
            yield f"{part} on {line}", widget.get_component_rich_style(f"diff--{line}") + Style(color=color)


async def palette(system: str, theme: str) -> dict[str, Shown]:
    """What each view shows, by the name of its class."""
    app = HiveConsole(never)
    async with app.run_test(size=(80, 24)) as pilot:
        app.use_colors(system)
        app.theme = theme
        views = (DiffView(), LogView(), StepsView(utc_now), LineTable([Column("a", "A", 2, 3)]))
        await app.mount(*views)
        await pilot.pause()
        return {
            type(view).__name__: {name: sent(style, DEPTHS[system]) for name, style in component_styles(view)}
            for view in views
        }


@pytest.mark.parametrize("theme", themes.NAMES)
@pytest.mark.parametrize("system", DEPTHS)
async def test_every_style_is_readable_and_added_differs_from_removed(system: str, theme: str) -> None:
    views = await palette(system, theme)
    for view, shown in views.items():
        for name, (text, background) in shown.items():
            if name not in NOT_READ:
                assert contrast(text, background) >= MINIMUM_CONTRAST, (view, name)
    diff = views["DiffView"]
    names = ("plain", "diff--added", "diff--removed", "diff--added-word", "diff--removed-word")
    for one, other in combinations(names, 2):
        for terminal in TERMINALS:
            pair = [diff[name][1].get_truecolor(terminal) for name in (one, other)]
            assert max(abs(a - b) for a, b in zip(*pair, strict=True)) >= 16, (one, other)
    added, removed = (diff[name][1].get_truecolor() for name in ("diff--added", "diff--removed"))
    assert len({*added}) > 1, "a grey says nothing"
    assert len({*removed}) > 1, "a grey says nothing"
    table = views["LineTable"]
    assert table["table--cursor"][1] != table["plain"][1]
    for one, other in (("table--bad", "plain"), ("table--bad", "table--good")):
        assert table[one][0] != table[other][0], (one, other)
    assert views["LogView"]["log--error"][0] != views["LogView"]["log--warning"][0]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"COLORTERM": ""}, b";5;"), ({"COLORTERM": "", "TERM": "xterm"}, b"0;9"), ({"NO_COLOR": "1"}, b"")],
    ids=["256", "16", "none"],
)
def test_the_console_sends_only_colours_that_the_terminal_has(
    home: Home, terminal: Opened, variables: dict[str, str], expected: bytes
) -> None:
    console = terminal(**variables)
    console.until(*home.agents)
    parameters = [piece.split(b"m")[0] for piece in console.written.split(b"\x1b[0;")[1:]]
    assert not [one for one in parameters if b";2;" in one]
    if expected:
        assert any(expected in b"0;" + one for one in parameters)
    else:
        assert {part for one in parameters for part in one.split(b";")} <= {b"1", b"2", b"3", b"4", b"7", b"9"}
