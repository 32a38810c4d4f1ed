"""An app of one widget for a benchmark, run as a program in a terminal of its own: `python staged.py SCENARIO`.

Every key acts on the widget and then shows a token with the number of keys so far. The token and the effect of the key
are painted in one frame, so a reader of the terminal knows when the key was answered. At its end it prints to stderr
how many lines a log has.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from itertools import count
from pathlib import Path
from time import monotonic

os.environ.setdefault("TEXTUAL_FPS", "240")

from textual import events
from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import DataTable, Log, RichLog, Static

from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.log.log_view import LogView
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row

AGENTS = 900
LINES_A_SECOND = 50_000
COLUMNS = ("NAME", "STATE", "PORT", "DEPLOYED", "PENDING", "MEMORY", "CPU", "UPTIME")


def values(agent: int, tick: int) -> tuple[str, ...]:
    """A row of an agent, all of whose values change."""
    return (
        f"a{agent:03}", "● running", str(8100 + agent), f"#{agent} 0123abcd", "0" if tick % 2 else "1",
        f"{(agent * 7 + tick) % 2048} MiB", f"{(agent + tick) % 100} %", f"{tick} s",
    )  # fmt: skip


def rows(tick: int) -> list[Row]:
    """The rows of all agents at a tick."""
    result = []
    for agent in range(AGENTS):
        name, state, *others = values(agent, tick)
        result.append(Row(name, (name, Cell(state, "good"), *others)))
    return result


class Staged(App[None]):
    """The widget, the load on it, and a line with the token."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        widget: Widget,
        on_key: Callable[[], None],
        busy: Callable[[], Coroutine[None, None, None]] | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.widget, self.act, self.busy, self.prepare = widget, on_key, busy, prepare
        self.keys = count(1)
        self.token = Static("", markup=False)

    def compose(self) -> ComposeResult:
        yield self.token
        yield self.widget

    def on_mount(self) -> None:
        self.token.styles.height = 1
        self.widget.styles.height = "1fr"
        self.prepare()
        self.call_after_refresh(self.ready)

    def ready(self) -> None:
        gc.freeze()  # as the console does once it is open
        self.token.update("READY;", layout=False)
        if self.busy is not None:
            self.run_worker(self.busy())

    def on_key(self, event: events.Key) -> None:
        if event.key == "q":
            self.exit()
        else:
            self.act()
            self.token.update(f"K{next(self.keys):06};", layout=False)


async def ticking(act: Callable[[int], None]) -> None:
    """Call `act` ten times a second."""
    for tick in count(1):
        began = monotonic()
        act(tick)
        await asyncio.sleep(max(0.0, 0.1 - (monotonic() - began)))


async def flood(feed: Callable[[int, int], object]) -> None:
    """Feed lines at a steady rate, as through a pipe, by `feed(first, how_many)`."""
    began, fed = monotonic(), 0
    while True:
        await asyncio.sleep(0.01)
        due = int((monotonic() - began) * LINES_A_SECOND)
        feed(fed, due - fed)
        fed = due


def log_lines(first: int, how_many: int) -> list[str]:
    return [f"2026-01-01T00:00:00 iris says line {number:09} of very many" for number in range(first, first + how_many)]


_BLOCK = "\n".join(log_lines(0, 1000)).encode() + b"\n"


def table_ours() -> App[None]:
    table = LineTable([Column(title.lower(), title, 6, 16, 9 - n) for n, title in enumerate(COLUMNS)])
    table.set_rows(rows(0))
    return Staged(table, table.action_line_down, lambda: ticking(lambda tick: table.set_rows(rows(tick))))


def table_peer() -> App[None]:
    table: DataTable[str] = DataTable(cursor_type="row")

    def fill() -> None:
        table.add_columns(*COLUMNS)
        for agent in range(AGENTS):
            table.add_row(*values(agent, 0), key=str(agent))

    def change(tick: int) -> None:
        for agent in range(AGENTS):
            for key, value in zip(list(table.columns)[4:], values(agent, tick)[4:], strict=True):
                table.update_cell(str(agent), key, value)

    return Staged(table, table.action_cursor_down, lambda: ticking(change), fill)


def log_ours() -> App[None]:
    view = LogView()
    return Staged(view, view.action_right, lambda: flood(lambda first, n: view.feed_bytes(_chunk(n))))


def _chunk(how_many: int) -> bytes:
    return b"".join([_BLOCK] * (how_many // 1000)) + b"".join(_BLOCK.splitlines(keepends=True)[: how_many % 1000])


def log_peer() -> App[None]:
    log = Log(max_lines=None)
    return Staged(log, log.action_scroll_right, lambda: flood(lambda first, n: log.write_lines(log_lines(first, n))))


def rich_log_peer() -> App[None]:
    log = RichLog(max_lines=10_000)

    def feed(first: int, how_many: int) -> None:
        for line in log_lines(first, min(how_many, 100)):
            log.write(line)

    return Staged(log, log.action_scroll_right, lambda: flood(feed))


def diff_line() -> App[None]:
    view = _diff()
    return Staged(view, view.action_line_down)


def diff_page() -> App[None]:
    view = _diff()
    return Staged(view, view.action_page_down)


def _diff() -> DiffView:
    view = DiffView()
    view.side_by_side = False
    view.start()
    view.feed(Path(sys.argv[2]).read_bytes())
    view.finish()
    return view


def idle_ours() -> App[None]:
    view = LogView()
    view.feed_bytes(_BLOCK)
    return Staged(view, view.action_right)


def idle_peer() -> App[None]:
    """Only the token."""
    return Staged(Static("", markup=False), lambda: None)


if __name__ == "__main__":
    app = globals()[sys.argv[1]]()
    app.run()
    if isinstance(app.widget, LogView):
        print(app.widget.store.end, file=sys.stderr)
