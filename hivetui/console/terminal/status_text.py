"""A text whose height follows each of its updates, also those before the first layout."""

from __future__ import annotations

from typing import Self

from textual.geometry import Region
from textual.widgets import Static


class StatusText(Static):
    """A Static that may be updated at any time.

    Textual 8.2 caches the size of a widget by the number of its layout updates (private), and counts only the first of
    several that come before it is laid out: a second text would keep the height of the first.
    """

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Count every update of the layout."""
        if layout:
            self._layout_updates += 1
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
