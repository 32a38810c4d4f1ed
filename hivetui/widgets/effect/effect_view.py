"""The view of an effect: its lines, wrapped to the width, so that nothing of them is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.widgets.effect.lines import EffectLine
from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.lines.strips import make_strip, wrap_strip

_TONES = ("head", "good", "bad", "warn", "dim")


class EffectView(LineView):
    """Shows lines; keys move it as any other view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"effect--{tone}" for tone in _TONES}
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self) -> None:
        super().__init__(id="effect")
        self.can_focus = False
        self._lines: Sequence[EffectLine] = ()
        self._rows: list[Strip] | None = None

    def show(self, lines: Sequence[EffectLine]) -> None:
        """Show these lines, from the first if they are others than before."""
        if list(lines) != list(self._lines):
            self._lines, self._rows = lines, None
            self.top = 0
            self.repaint()

    def forget_strips(self) -> None:
        """Wrap anew."""
        self._rows = None

    def line_count(self) -> int:
        """How many rows there are."""
        return len(self._wrapped())

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows."""
        return self._wrapped()[self.top : self.top + height]

    def _wrapped(self) -> list[Strip]:
        if self._rows is None:
            width = self.line_width
            self._rows = [row for line in self._lines for row in wrap_strip(self._paint(line), width)]
        return self._rows

    def _paint(self, line: EffectLine) -> Strip:
        return make_strip([(line.text, self.style_of(f"effect--{line.tone}") if line.tone else self.plain)])
