"""Ways to an agent itself: its web page, and a shell in its container."""

from __future__ import annotations

from textual.message import Message

from hivetui.engine.api import Hive
from hivetui.engine.model.text import safe
from hivetui.screens.base import HiveScreen

_URL_SECONDS = 20.0


class ShellRequested(Message):
    """Asks the app for a shell in the container of an agent of that hive."""

    def __init__(self, hive: Hive, agent: str) -> None:
        self.hive, self.agent = hive, agent
        super().__init__()


def show_page(screen: HiveScreen, hive: Hive, agent: str) -> None:
    """Show the address of the agent's web page, and copy it; why there is none is shown as an error."""

    def show(url: str) -> None:
        screen.app.copy_to_clipboard(url)
        text = f"{url}\ncopied, if the terminal supports OSC 52"
        screen.notify(text, title=safe(f"{agent}'s web page"), timeout=_URL_SECONDS, markup=False)

    screen.run_engine_work(hive.page_url(agent), show)
