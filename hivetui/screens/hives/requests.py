"""What a list of several hives asks the app for."""

from __future__ import annotations

from textual.message import Message

from hivetui.screens.base import ScreenName


class HiveRequested(Message):
    """Asks for another hive in front, and for a screen of it: its agents, or the review of proposal `number`.

    `agent` is the row of the list of agents to put the cursor on.
    """

    def __init__(
        self, name: str, target: ScreenName = "agents", agent: str | None = None, number: int | None = None
    ) -> None:
        super().__init__()
        self.name, self.agent, self.number = name, agent, number
        self.target: ScreenName = target
