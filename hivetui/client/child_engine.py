"""An engine that is started as a child of this process. It imports little: a console starts it before all else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

from hivetui.engine.model.errors import BadData, Unavailable

ENGINE: tuple[str, ...] = (sys.executable, "-P", "-m", "hivetui")
"""The argv of the engine, before its options; -P as for a worker."""
_LAST_LINES = 5
_END_SECONDS = 10.0


class ChildEngine:
    """An engine as a child process, which runs for as long as somebody is connected to it."""

    def __init__(self, options: Sequence[str]) -> None:
        """Start it with the options that name the hive, such as ["--embedded", "DIR"]."""
        ours, its = socket.socketpair()
        self._socket: socket.socket | None = ours
        self._connected: socket.socket | None = None
        self._errors: BinaryIO = os.fdopen(os.memfd_create("engine"), "w+b")  # a temporary file takes long to import
        argv = [*ENGINE, *options, "engine", "--stdio"]
        try:
            self._process = subprocess.Popen(
                argv, stdin=its.fileno(), stdout=its.fileno(), stderr=self._errors, start_new_session=True
            )  # in a session of its own, so that no signal of the terminal reaches it
        except OSError as error:
            ours.close()
            raise Unavailable("The engine could not be started", f"{error.strerror}.", "Try again.") from error
        finally:
            its.close()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_taken(self) -> bool:
        """Whether its one connection has been made."""
        return self._socket is None

    def take(self) -> socket.socket:
        """The one connection to it; BadData when it was taken already."""
        if self._socket is None:
            raise BadData("The engine has its client already", "A child has one connection.", "Start another one.")
        connected, self._socket, self._connected = self._socket, None, self._socket
        return connected

    def describe_end(self) -> str:
        """The last words of an engine that has ended; "" while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        if self._process.poll() in (None, 0) or self._errors.closed:
            return ""
        from hivetui.engine.model.binary import quote_output

        self._errors.seek(0)
        lines = quote_output(self._errors.read()).splitlines()
        return " ".join((f"{self._describe_status()}.", *lines[-_LAST_LINES:]))

    def _describe_status(self) -> str:
        status = self._process.returncode
        if status >= 0:
            return f"It ended with status {status}"
        try:
            return f"It was killed by {signal.Signals(-status).name}"
        except ValueError:  # a real-time signal
            return f"It was killed by signal {-status}"

    def end(self) -> None:
        """Close the connection, if that has not been done, and wait for its end."""
        for ours in filter(None, (self._socket, self._connected)):
            with suppress(OSError):  # its loop may have closed it
                ours.shutdown(socket.SHUT_RDWR)
            ours.close()
        with self._errors:
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
