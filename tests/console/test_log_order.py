"""The screen of logs while the clock of the host is set back: cursors tell what comes next and where the view stays."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.embedded import journal
from hivetui.embedded.layout import Layout
from hivetui.engine.containers import logs
from hivetui.engine.model.names import container_of
from hivetui.screens.logs import reader
from hivetui.screens.logs.screen import LogsScreen

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

pytestmark = pytest.mark.slow
HOUR = 3600
STEP = 2000
"""The line before which the clock is set back by an hour."""


def write_step_back(home: Home) -> int:
    """Logs of more lines than one page of history; when the clock went back, in seconds since 1970."""
    now = int(datetime.now(UTC).timestamp())
    layout = Layout(str(home.folder))
    for agent in home.agents:
        at = [now - 2400 + number + (0 if number >= STEP else HOUR) for number in range(2400)]
        rows = [
            {"t": time * 1_000_000, "p": 6, "i": "x", "m": f"{agent} {number:04d}"} for number, time in enumerate(at)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (layout.log(container_of(agent)) / journal.CURRENT).write_text(text)
    return now


def lines_of(screen: LogsScreen, agent: str) -> list[str]:
    store = screen.log_view.store
    texts = [store.line(number).raw.decode() for number in range(store.first, store.end)]
    return [text for text in texts if text.startswith(f"{agent} ")]  # the agents go on to log as well


async def open_logs(seat: Seat, agents: tuple[str, ...]) -> LogsScreen:
    await seat.press("4")
    await seat.when(lambda: isinstance(seat.app.screen, LogsScreen))
    screen = seat.app.screen
    assert isinstance(screen, LogsScreen)
    screen._agents = agents
    screen._read()
    await seat.when(lambda: screen.log_view.store.end >= 1000)
    return screen


@pytest.mark.parametrize("count", [1, 2])
async def test_older_lines_come_before_the_line_that_was_the_oldest(home: Home, seated: Seated, count: int) -> None:
    write_step_back(home)
    agents = home.agents[:count]
    async with seated() as seat:
        screen = await open_logs(seat, agents)
        view = screen.log_view
        oldest = view.store.line(view.store.first).raw.decode()
        await seat.press("g")
        assert oldest in seat.text
        await seat.press("k")
        await seat.when(lambda: view.store.end > 1000 and view.notice == "")
        rows = [
            row
            for row in seat.text.splitlines()
            if any(f" {agent} 0" in row or f" {agent} 1" in row for agent in agents)
        ]
        assert len(rows) > 20
        assert oldest in rows[-1]
        for agent in agents:
            assert lines_of(screen, agent) == [f"{agent} {number:04d}" for number in range(2400)]


async def test_a_lost_stream_goes_on_with_the_next_line_though_its_time_is_earlier(
    home: Home, seated: Seated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "RETRY_SECONDS", (0.2,))
    monkeypatch.setattr(logs, "_POLL_SECONDS", 0.2)
    now = write_step_back(home)
    async with seated() as seat:
        screen = await open_logs(seat, home.agents)
        await seat.when(lambda: len(_readers(home)) == len(home.agents))
        for process in _readers(home):
            os.kill(process, signal.SIGKILL)
        for number in range(3):
            for agent in home.agents:
                at = (now - 2 * HOUR - number) * 1_000_000
                journal.append(Layout(str(home.folder)), container_of(agent), f"{agent} later {number}", at=at)
        await seat.when(lambda: all(lines_of(screen, agent)[-1] == f"{agent} later 2" for agent in home.agents))
        for agent in home.agents:
            assert lines_of(screen, agent)[-4:] == [
                f"{agent} 2399",
                *(f"{agent} later {number}" for number in range(3)),
            ]


def _readers(home: Home) -> list[int]:
    """The processes that follow this hive's journals."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"journalctl" in words and b"--follow" in words and str(home.folder).encode() in words:
            found.append(int(path.parent.name))
    return found
