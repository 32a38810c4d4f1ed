"""The dialog that makes an agent: what a name would mean, told while it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent, AgentState, SpawnAdvice
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.text import TypedInput

from .base import Dialog

LINES = 4
"""So many lines of advice have room from the beginning, so that nothing jumps while a name is typed."""


class SpawnDialog(Dialog[str]):
    """Returns a name that can be had, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]
    AUTO_FOCUS = "Input"
    DEFAULT_CSS = "SpawnDialog .detail { margin-top: 1; }"

    def __init__(self, hive: Hive, agents: tuple[Agent, ...] = ()) -> None:
        super().__init__()
        self._hive = hive
        self._states = {one.name: one.state for one in agents}
        self._advice: SpawnAdvice | None = None

    def compose(self) -> ComposeResult:
        """The line, what it would mean, the answers."""
        with Vertical(classes="box"):
            yield Static("Spawn an agent", classes="question", markup=False)
            yield TypedInput("its name, at most 9 characters", pasting=True)
            yield Static("\n" * (LINES - 1), classes="detail", markup=False)
            yield Static("", classes="problem", markup=False)
            yield Static("enter  spawn it    esc  leave it", classes="answers", markup=False)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Advice for what stands there now; an older answer that is still on its way is dropped."""
        self.run_worker(self._advise(message.value), group="advice", exclusive=True)

    async def _advise(self, name: str) -> None:
        try:
            advice = await self._hive.spawn_advice(name)
        except HiveError as error:
            self.query_one(".problem", Static).update(safe(error.what))
            return
        self._advice = advice
        self.query_one(".detail", Static).update("\n".join(advice_lines(advice, self._states)))
        self.query_one(".problem", Static).update(safe(advice.problem or "") if name else "")

    async def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter: only with a name that can be had."""
        if not self.is_deliberate():
            return
        await self._advise(message.value)
        if self._advice is not None and self._advice.name == message.value and self._advice.problem is None:
            self.answer(message.value)


def advice_lines(advice: SpawnAdvice, states: Mapping[str, AgentState]) -> list[str]:
    """`LINES` safe lines: container and port, who has that port or listens on it, near names that are free, and whether
    something of an agent of this name was kept."""
    lines: list[str] = []
    if advice.container is not None:
        lines.append(f"container {safe(advice.container)}, port {advice.port}")
        if states.get(advice.name) is AgentState.KEPT:
            lines.append("What was kept of it is used again: repos, credentials and notes.")
    if advice.shared_with:
        others = ", ".join(safe(f"{name} ({states.get(name, 'there')})") for name in advice.shared_with)
        lines.append(f"▲ the same port as {others}: only one of them can run")
    if advice.listener:
        lines.append(f"▲ {safe(advice.listener)} listens on port {advice.port}: it could not start")
    if advice.free_names:
        lines.append("free names near it: " + ", ".join(safe(name) for name in advice.free_names))
    return lines + [""] * (LINES - len(lines))
