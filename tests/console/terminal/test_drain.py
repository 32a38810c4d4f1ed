from __future__ import annotations

import io
from queue import Queue
from threading import Event

import pytest
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver

from hivetui.console.terminal.drain import is_drained, queued_frames
from hivetui.widgets.log.log_view import LogView
from tests.widgets.conftest import Stage, on_stage, painted, until


class Stuck(io.StringIO):
    """A terminal that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.writing, self.go = Event(), Event()

    def write(self, text: str) -> int:
        self.writing.set()
        self.go.wait(5)
        return super().write(text)


async def test_textual_still_has_the_private_parts_that_we_look_at() -> None:
    driver = LinuxDriver(Stage(LogView()), debug=False, mouse=False)
    assert driver._writer_thread is None
    assert queued_frames(driver) == 0
    assert isinstance(WriterThread(io.StringIO())._queue, Queue)


async def test_frames_that_the_terminal_has_not_taken_are_counted() -> None:
    driver = LinuxDriver(Stage(LogView()), debug=False, mouse=False)
    terminal = Stuck()
    driver._writer_thread = writer = WriterThread(terminal)
    writer.start()
    driver.write("first")
    assert terminal.writing.wait(5)
    driver.write("second")
    driver.write("third")
    assert queued_frames(driver) == 2
    terminal.go.set()
    writer.stop()
    assert queued_frames(driver) == 0
    assert terminal.getvalue() == "firstsecondthird"


async def test_a_view_waits_with_new_lines_until_the_terminal_has_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    view = LogView()
    async with on_stage(view) as pilot:
        terminal = Stuck()
        writer = WriterThread(terminal)
        monkeypatch.setattr(pilot.app._driver, "_writer_thread", writer, raising=False)
        writer.start()
        for text in ("first", "second"):
            writer.write(text)
        assert terminal.writing.wait(5)
        assert not is_drained(pilot.app)
        view.feed_bytes(b"news\n")
        await pilot.pause(0.15)
        assert painted(view)[0] == ""
        terminal.go.set()
        await until(pilot, lambda: painted(view)[0].endswith("news"))
        writer.stop()
