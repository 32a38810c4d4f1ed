"""The dialog that makes an agent: what a name would mean, told while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from ...engine.errors import HiveError
from ...engine.interface import Hive
from ...engine.models import SpawnAdvice
from ...engine.text import safe
from .base import Dialog
from .typed import TypedInput


class Spawn(Dialog[str]):
    """Returns a name that can be had, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]
    AUTO_FOCUS = "Input"

    def __init__(self, hive: Hive) -> None:
        super().__init__()
        self._hive = hive
        self._advice: SpawnAdvice | None = None

    def compose(self) -> ComposeResult:
        """The line, what it would mean, the answers."""
        with Vertical(classes="box"):
            yield Static("Spawn an agent", classes="question", markup=False)
            yield TypedInput("its name, at most 9 characters", pasting=True)
            yield Static("\n\n", classes="detail", markup=False)
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
        self.query_one(".detail", Static).update(safe_lines(advice))
        self.query_one(".problem", Static).update(safe(advice.problem or "") if name else "")

    async def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter: only with a name that can be had."""
        if not self.meant():
            return
        await self._advise(message.value)
        if self._advice is not None and self._advice.name == message.value and self._advice.problem is None:
            self.dismiss(message.value)


def safe_lines(advice: SpawnAdvice) -> str:
    """Container and port, who shares the port, and names that would not."""
    if advice.container is None:
        return "\n\n"
    lines = [f"container {safe(advice.container)}, port {advice.port}"]
    if advice.shared_with:
        others = ", ".join(safe(name) for name in advice.shared_with)
        lines.append(f"▲ the same port as {others}: they cannot run at the same time")
        lines.append("free names near it: " + ", ".join(safe(name) for name in advice.free_names))
    return "\n".join(lines + [""] * (3 - len(lines)))
