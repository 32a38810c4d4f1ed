"""Signals to processes that are not our children, safe against the reuse of a PID."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from typing import NamedTuple

from hivetui.engine.host import procfs

_SESSION_ROUNDS = 5


class ProcessHandle(NamedTuple):
    """One process of this boot: its PID, and its start time in clock ticks since boot."""

    pid: int
    started: int

    def send_signal(self, number: int, wait: float = 0.0) -> None:
        """Send a signal if the process still exists, and wait at most `wait` seconds for its exit.

        PermissionError when it runs as another user.
        """
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if (stat := procfs.process_stat(self.pid)) is not None and stat.started == self.started:
                    signal.pidfd_send_signal(descriptor, number)
                    _wait_readable(descriptor, wait)
            finally:
                os.close(descriptor)

    def kill(self, wait: float = 0.0) -> None:
        """SIGKILL where that is permitted, and wait at most `wait` seconds for its exit."""
        with suppress(PermissionError):
            self.send_signal(signal.SIGKILL, wait)


def _wait_readable(descriptor: int, seconds: float) -> None:
    """Wait with poll(2), which takes any descriptor; select(2) takes none above 1023."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(seconds * 1000)


def descendants(pid: int) -> tuple[ProcessHandle, ...]:
    """The children of `pid`, their children, and so on."""
    return tuple(ProcessHandle(child, stat.started) for child, stat in procfs.descendants(pid).items())


def kill_session(leader: int, since: int) -> None:
    """Kill what is left of the session of a process that has exited and that started at `since`, and wait for it.

    Only for a process of this boot. The kernel does not reuse the leader's PID while the session has members; if
    another process has that PID now, a session of that number belongs to it and is left alone.
    """
    if (stat := procfs.process_stat(leader)) is not None and stat.started != since:
        return
    for _ in range(_SESSION_ROUNDS):  # a member may fork between the listing and its SIGKILL
        members = [
            ProcessHandle(pid, stat.started)
            for pid, stat in procfs.processes().items()
            if stat.session == leader and stat.started >= since and stat.is_running
        ]
        if not members:
            return
        for member in members:
            member.kill(wait=1.0)
