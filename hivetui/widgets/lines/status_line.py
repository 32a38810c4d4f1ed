"""A view of lines with a status line below it."""

from __future__ import annotations

from typing import ClassVar

from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import safe
from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.lines.strips import make_strip


class StatusLineView(LineView):
    """A `LineView` whose last row tells its state in words. A subclass gives `status_parts`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--status", "lines--alert"}
    DEFAULT_CSS = read_stylesheet(__file__)

    @property
    def page(self) -> int:
        """How many rows fit above the status line."""
        return max(1, self.area.height - 1)

    @property
    def alert(self) -> bool:
        """Whether the status line asks for attention."""
        return False

    def status_parts(self) -> list[str]:
        """The texts of the status line, the most important first; empty ones are left out."""
        raise NotImplementedError

    def build_rows(self) -> list[Strip]:
        """The window, and the status line below it."""
        rows = super().build_rows()
        style = self.style_of("lines--alert" if self.alert else "lines--status")
        text = safe("  ".join(part for part in self.status_parts() if part), self.area.width)
        return [*rows, make_strip([(text, style)]).adjust_cell_length(self.area.width, style)]
