"""A screen of one hive among all that the console has."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual.screen import Screen
from textual.worker import WorkType

from hivetui.console.hives import Hives, HivesChanged
from hivetui.engine.api import Hive


class AmongHives(Screen[None]):
    """It belongs to `hive` for as long as it exists."""

    IS_ABOUT_ALL: ClassVar[bool] = False
    """Whether it is about all hives, and not about the one that it belongs to."""

    def __init__(self, hive: Hive) -> None:
        super().__init__()
        self.hive = hive
        self.hives: Hives | None = None
        """All hives of the console, set before it is mounted."""
        self._needs: tuple[object, ...] = ()

    @property
    def hive_name(self) -> str:
        """The operator's name for its hive, among several; "" for the only one."""
        return "" if self.hives is None or not self.hives.are_several else self.hives.name_of(self.hive)

    def on_hives_changed(self, message: HivesChanged) -> None:
        """Show which of the other hives need somebody, where that has changed."""
        hives = self.hives
        needs = () if hives is None else tuple((link.name, link.is_away and link.problem) for link in hives.in_need)
        if needs != self._needs:
            self._needs = needs
            self._show_all()

    def run_loading(self, load: Callable[[], Coroutine[Any, Any, None]], group: str) -> None:
        """Load in the background, in place of an earlier load of the same group.

        It is called only when the worker starts: a coroutine that is cancelled before that would never be awaited.
        """
        work: WorkType[None] = load
        self.run_worker(work, group=group, exclusive=True)

    def _show_all(self) -> None:
        """Paint everything."""
        raise NotImplementedError
