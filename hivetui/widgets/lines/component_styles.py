"""The styles of a widget's component classes, cached: Textual computes them anew after every refresh."""

from __future__ import annotations

from rich.style import Style
from textual.widget import Widget


class ComponentStyles:
    """Looks up each style once, until `clear` is called because the theme, or the widget's own style, changed."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._cache: dict[tuple[str, ...], Style] = {}

    def of(self, *names: str) -> Style:
        """The style of component classes, combined."""
        style = self._cache.get(names)
        if style is None:
            style = self._cache[names] = self._widget.get_component_rich_style(*names)
        return style

    @property
    def plain(self) -> Style:
        """The style of the widget itself."""
        style = self._cache.get(())
        if style is None:
            style = self._cache[()] = self._widget.rich_style
        return style

    def clear(self) -> None:
        """Forget all styles."""
        self._cache.clear()
