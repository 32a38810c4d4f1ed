"""The lines of an error's reason and advice are lines on the screen too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivetui.engine.model.errors import OperationFailed
from tests.console.test_key_texts import console, shown

if TYPE_CHECKING:
    from hivetui.screens.listing import ListScreen


async def test_a_notification_breaks_where_the_reason_does() -> None:
    app = console()
    async with app.run_test(size=(120, 40)) as pilot:
        screen: ListScreen = await shown(app, pilot)
        why, fix = "error: no such option\n  at agent.nix:3\n", "Mend\x1b it,\nthen retry"
        screen.show_error(OperationFailed("It failed", why, fix))
        await pilot.pause()
        (one,) = app._notifications
        lines = one.message.splitlines()
        assert lines == ["error: no such option", "  at agent.nix:3", "Mend‹U+001B› it,", "then retry"]
