"""What the palettes are on each kind of terminal, in the parameters that are really sent to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations, product
from random import Random

import pytest
from rich.color import Color, ColorSystem
from rich.style import Style
from textual.widget import Widget

from hivetui.app import HiveConsole
from hivetui.console import themes
from hivetui.console.terminal.colors import MINIMUM_CONTRAST, TERMINALS, contrast, sgr
from hivetui.engine.api import Hive
from hivetui.engine.model.logs import LogLine
from hivetui.screens.base import utc_now
from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.log.log_view import LogView
from hivetui.widgets.operation.steps_view import StepsView
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row, Tone
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


DIFFERENCE = b"""diff --git a/agent.nix b/agent.nix
index 1111111..2222222 100644
--- a/agent.nix
+++ b/agent.nix
@@ -1,5 +1,5 @@
 # how it was and how it is
-  services.foo = { enable = true; name = "old value"; port = 80; path = ./x; }; # why not
-  let inherit (lib) mkForce; in null
+  services.foo = { enable = false; name = "new value"; port = 443; path = ./y; }; # because
+  let inherit (lib) mkDefault; in null \xe2\x80\xae
   environment.o = true;
"""
TONES: tuple[Tone, ...] = ("", "good", "bad", "warn", "dim", "busy", "strong")


class Views:
    """A diff, a log and a table on one screen, with everything that they can show at once."""

    def __init__(self) -> None:
        self.diff, self.log = DiffView(), LogView()
        self.table = LineTable([Column(str(number), "A", 2, 9) for number in range(len(TONES))])

    @property
    def all(self) -> tuple[Widget, ...]:
        return self.diff, self.log, self.table

    def fill(self) -> None:
        self.diff.feed(DIFFERENCE)
        self.diff.finish()
        colored = [f"\x1b[{30 + hue};{weight}mcolour of {hue}\x1b[0m more" for weight in (0, 1) for hue in range(8)]
        texts = (*colored, "error: not good", "warning: not good", "info: so it goes")
        self.log.feed_lines([LogLine(datetime.now(UTC), "ada", "demo", text) for text in texts])
        self.table.set_rows([Row(str(row), tuple(Cell("words", tone) for tone in TONES)) for row in range(3)])

    def styles(self) -> Iterator[tuple[str, str, Style]]:
        """The view, text and style of every piece that is painted."""
        for view in self.all:
            for y in range(view.size.height):
                for text, style, _ in view.render_line(y):
                    if text.strip(" │█─") and style is not None:
                        yield type(view).__name__, text, style


async def painted_styles(app: HiveConsole, theme: str, system: str | None) -> dict[str, list[tuple[str, str, Style]]]:
    """What is painted in each situation: plain, with matches, in a selection with the focus, side by side."""
    views, found = Views(), {}
    async with app.run_test(size=(110, 60)) as pilot:
        if system is not None:
            app.use_colors(system)
        app.theme = theme
        for view in views.all:
            view.styles.height = 18
        await app.mount(*views.all)
        await pilot.pause()
        views.fill()
        await pilot.pause()
        found["plain"] = [*views.styles()]
        for view in (views.diff, views.log):
            view.search("o")
            view.action_next_match()
        while views.diff.current_match is None or views.log.current_match is None:
            await pilot.pause(0.01)
        found["matches"] = [*views.styles()]
        views.table.focus()
        views.log.action_select()
        views.log.scroll_rows(5)
        await pilot.pause()
        found["selected"] = [*views.styles()]
        views.diff.side_by_side = True
        views.diff.resized()
        await pilot.pause()
        found["side by side"] = [*views.styles()]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("theme", themes.NAMES)
@pytest.mark.parametrize("system", DEPTHS)
async def test_everything_that_is_painted_is_readable_where_it_is(system: str, theme: str) -> None:
    for situation, styles in (await painted_styles(HiveConsole(never), theme, system)).items():
        assert len(styles) > 40
        for view, text, style in styles:
            assert contrast(*sent(style, DEPTHS[system])) >= MINIMUM_CONTRAST, (situation, view, text)


def test_a_terminal_never_gets_text_that_is_not_readable_on_its_background() -> None:
    random = Random(1)
    for _ in range(300):
        text, background = (Color.from_rgb(*(random.randrange(256) for _ in range(3))) for _ in range(2))
        for system in DEPTHS.values():
            style = Style(color=text, bgcolor=background)
            assert contrast(*sent(style, system)) >= MINIMUM_CONTRAST, (text, background)


def test_a_colour_that_is_readable_is_sent_as_it_is() -> None:
    assert (
        sgr(Style(color="#e06c6c", bgcolor="#15171a"), ColorSystem.TRUECOLOR, True) == "38;2;224;108;108;48;2;21;23;26"
    )


async def test_without_colours_added_removed_words_cursor_and_selection_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    found = await painted_styles(HiveConsole(never), themes.NAMES[0], None)

    diff = [(text, sgr(style, None, True)) for view, text, style in found["plain"] if view == "DiffView"]
    beginnings = ("+ ", "- ", "@@", "new", "old")
    lines = [next(sent for text, sent in diff if text.startswith(beginning)) for beginning in beginnings]
    assert len({*lines}) == len(lines), lines
    cells = [style for view, text, style in found["plain"] if view == "LineTable" and "words" in text]
    assert {"7" in sgr(style, None, True) for style in cells[: len(TONES)]} == {True}
    assert {"7" in sgr(style, None, True) for style in cells[len(TONES) :]} == {False}
    reversed_pieces = {
        situation: sum("7" in sgr(style, None, True) for view, _, style in styles if view == "LogView")
        for situation, styles in found.items()
    }
    assert reversed_pieces["selected"] > reversed_pieces["matches"] > reversed_pieces["plain"]


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
    [
        ({"COLORTERM": ""}, b";5;"),
        pytest.param({"COLORTERM": "", "TERM": "xterm"}, b"0;9", marks=pytest.mark.slow),
        pytest.param({"NO_COLOR": "1"}, b"", marks=pytest.mark.slow),
    ],
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
