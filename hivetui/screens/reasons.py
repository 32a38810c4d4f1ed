"""Reasons that were typed and not recorded: the next question about the same starts with them.

A denial may fail, or its outcome stay unknown, and a dialog is left by mistake: what was typed is not typed again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Reasons:
    """What was typed, by what it is about, such as the denial of a proposal."""

    def __init__(self) -> None:
        self._typed: dict[Hashable, str] = {}

    def find(self, subjects: Iterable[Hashable]) -> str:
        """What was typed about these; "" if nothing was, or not the same about each."""
        typed = {self._typed[subject] for subject in subjects if subject in self._typed}
        return typed.pop() if len(typed) == 1 else ""

    def keep(self, subjects: Iterable[Hashable], text: str) -> None:
        """Keep what was typed about these; nothing for ""."""
        for subject in subjects:
            self._typed[subject] = text
            if not text.strip():
                self.forget(subject)

    def forget(self, subject: Hashable) -> None:
        """It is recorded."""
        self._typed.pop(subject, None)
