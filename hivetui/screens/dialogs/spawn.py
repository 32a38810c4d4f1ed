"""The dialog that creates an agent: it says what a name would mean while it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static
from textual.worker import WorkType

from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent, AgentState, SpawnAdvice
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.base import Dialog
from hivetui.screens.dialogs.text import TypedInput
from hivetui.widgets import wording

ADVICE_LINES = 4
"""The height of the advice, which is constant, so that nothing moves while a name is typed."""


class SpawnDialog(Dialog[str]):
    """Returns a name that a new agent can have, or None."""

    AUTO_FOCUS = "Input"

    def __init__(self, hive: Hive, agents: tuple[Agent, ...] = ()) -> None:
        super().__init__()
        self._hive = hive
        self._states = {agent.name: agent.state for agent in agents}
        self._advice: SpawnAdvice | None = None

    def compose(self) -> ComposeResult:
        """The input, the advice, the problem, the keys."""
        with Vertical(classes="box"):
            yield Static("Spawn an agent", classes="question", markup=False)
            yield TypedInput("name, at most 9 characters", allow_paste=True)
            yield Static("\n" * (ADVICE_LINES - 1), classes="detail advice", markup=False)
            yield Static("", classes="problem", markup=False)
            keys = self.hint(("dialog.submit", "spawn"), ("dialog.leave", "cancel"))
            yield Static(keys, classes="answers", markup=False)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Ask for advice about the new text, and cancel an older request."""
        self.run_worker(self._advise(message.value), group="advice", exclusive=True)

    async def _advise(self, name: str) -> None:
        try:
            advice = await self._hive.spawn_advice(name)
        except HiveError as error:
            self.query_one(".problem", Static).update(safe(error.what))
            return
        self._advice = advice
        self.query_one(".advice", Static).update("\n".join(advice_lines(advice, self._states)))
        self.query_one(".problem", Static).update(safe(advice.problem or "") if name else "")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Return the name, if a new agent can have it and the key was deliberate.

        The engine is asked in a worker: while it does not answer, the keys of the dialog work.
        """
        if self.is_deliberate():
            submitting: WorkType[None] = partial(self._submit, message.value)
            self.run_worker(submitting, group="advice", exclusive=True)

    async def _submit(self, name: str) -> None:
        await self._advise(name)
        if self._advice is not None and self._advice.name == name and self._advice.problem is None:
            self.answer(name)


def advice_lines(advice: SpawnAdvice, states: Mapping[str, AgentState]) -> list[str]:
    """ADVICE_LINES escaped lines: container and port, what else uses the port, free names, and data that was kept."""
    lines: list[str] = []
    if advice.container is not None:
        lines.append(f"container {safe(advice.container)}, port {advice.port}")
        if states.get(advice.name) is AgentState.KEPT:
            lines.append("Its kept data is used again: repos, credentials and notes.")
    if advice.shared_with:
        labels = {name: wording.agent_state_label(state) for name, state in states.items()}
        others = ", ".join(safe(f"{name} ({labels.get(name, 'exists')})") for name in advice.shared_with)
        lines.append(f"▲ same port as {others}: only one of them can run")
    if advice.listener:
        lines.append(f"▲ {safe(advice.listener)} listens on port {advice.port}: the agent could not start")
    if advice.free_names:
        lines.append("similar names with a free port: " + ", ".join(safe(name) for name in advice.free_names))
    return lines + [""] * (ADVICE_LINES - len(lines))
