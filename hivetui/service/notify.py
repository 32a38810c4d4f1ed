"""What systemd is told about this process: that it is ready, what it does, and that it is alive (sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class SystemdNotifier:
    """Sends states to the socket that systemd named; without one, nowhere."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_seconds = int(environment.get("WATCHDOG_USEC", "0")) / 1_000_000 if is_ours else 0.0

    def send(self, *states: str) -> None:
        """Send states such as "READY=1"; a manager that does not listen is no failure."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto("\n".join(states).encode(), self._address)

    async def keep_watchdog(self) -> None:
        """Say at half the period that the loop runs; returns at once where systemd asks for nothing."""
        while self._watchdog_seconds:
            self.send("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_seconds / 2)
