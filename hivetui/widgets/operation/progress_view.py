"""The progress of a build above its log: what is built, what waits, downloads, times, and the last errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.model.text import safe
from hivetui.widgets.lines.line_window import LineWindow
from hivetui.widgets.lines.strips import make_strip
from hivetui.widgets.operation.progress_text import ProgressLine, progress_lines

_TONES = ("summary", "building", "fetching", "waiting", "error")


class ProgressView(LineWindow):
    """As high as there are lines; not there without any. It counts the seconds when `tick` is called."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"progress--{tone}" for tone in _TONES}
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(classes="-empty")
        self._clock = clock
        self._progress: BuildProgress | None = None
        self._lines: list[ProgressLine] = []

    def line_count(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def show(self, progress: BuildProgress | None) -> None:
        """Show this progress, None for none."""
        if progress != self._progress:
            self._progress = progress
            self._update()

    def tick(self) -> None:
        """Go on with the time of a build that runs."""
        if self._progress is not None and self._progress.ended_at is None:
            self._update()

    def _update(self) -> None:
        lines = [] if self._progress is None else progress_lines(self._progress, self._clock())
        if lines == self._lines:
            return
        if len(lines) != len(self._lines):
            self.set_class(not lines, "-empty")
            self.styles.height = max(1, len(lines))
        self._lines = lines
        self.changed()

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The lines; where they do not all fit, the first stays, and the errors, which come last."""
        shown = self._lines
        if len(shown) > height:
            shown = [shown[0], *shown[len(shown) - height + 1 :]]
        return [make_strip([(safe(text, width), self.style_of(f"progress--{tone}"))]) for tone, text in shown]
