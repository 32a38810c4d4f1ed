"""Being told when processes end that are not our children, by their pidfd (pidfd_open(2)), without asking."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")


class ProcessWatch(Generic[Key]):
    """Reports the key of each watched process once, in the event loop, when that process has ended."""

    def __init__(self, report: Callable[[Key], None]) -> None:
        self._report = report
        self._watched: dict[Key, tuple[int, int]] = {}
        """PID and pidfd by key."""

    def watch(self, key: Key, pid: int) -> None:
        """Watch the process of a key instead of any earlier one; a process that is gone is reported at once."""
        if self._watched.get(key, (0, 0))[0] == pid:
            return
        self.forget(key)
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            self._report(key)
            return
        self._watched[key] = (pid, descriptor)
        asyncio.get_running_loop().add_reader(descriptor, self._on_end, key)

    def forget(self, key: Key) -> None:
        """Stop watching the process of a key, if there is one."""
        if (watched := self._watched.pop(key, None)) is not None:
            asyncio.get_running_loop().remove_reader(watched[1])
            os.close(watched[1])

    def close(self) -> None:
        """Stop watching all of them."""
        for key in [*self._watched]:
            self.forget(key)

    def _on_end(self, key: Key) -> None:
        self.forget(key)
        self._report(key)
