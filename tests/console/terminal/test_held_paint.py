"""A screen that holds back the frames before its first full one, and is closed before that."""

from __future__ import annotations

import asyncio
from time import monotonic

from textual.app import App
from textual.screen import Screen
from textual.widgets import Static

from hivetui.console.terminal.held_paint import HeldPaint


class Below(Screen[None]):
    def compose(self):  # type: ignore[no-untyped-def]
        yield Static("before", id="text")


async def test_what_is_below_a_screen_that_closes_while_it_holds_frames_is_painted_without_another_key() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        below, above = Below(), Screen[None]()
        await app.push_screen(below)
        await app.push_screen(above)
        await pilot.pause()
        held = HeldPaint(above)
        held.begin()
        app.pop_screen()
        below.query_one("#text", Static).update("after")
        await pilot.pause()
        held.release()
        deadline = monotonic() + 10
        while "after" not in str(below._compositor.render_strips(app.size)) or below._dirty_widgets:
            assert monotonic() < deadline
            await asyncio.sleep(0.01)
        assert not app._batch_count
