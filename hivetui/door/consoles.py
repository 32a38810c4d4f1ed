"""The server's side of the warm parent: start it, ask it for consoles, and be told of their ends."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

from hivetui.door.log import log
from hivetui.door.messages import MAX_BYTES, ConsoleRequest, Home, pack, unpack
from hivetui.engine.model.errors import TryAgain

_PROGRAM = "hivetui.door.warm_parent"
_END_SECONDS = 10.0
_RESTART_SECONDS = 1.0
_LOST_STATUS = 75
"""The status of a console whose parent has died: the next login gets a new one."""
OnEnd = Callable[[int], None]
"""Is told the exit status."""


class Consoles:
    """Consoles by their numbers. A warm parent that dies is replaced; the consoles of the old one end."""

    def __init__(self, home: Home, environment: Mapping[str, str]) -> None:
        self._home, self._environment = home, dict(environment) | {"PYTHONUTF8": "1"}
        self._numbers = itertools.count(1)
        self._running: dict[int, OnEnd] = {}
        self._start()

    def open(self, operator: Mapping[str, str], environment: Mapping[str, str], terminal: int, on_end: OnEnd) -> int:
        """Start a console on a terminal; its number. TryAgain when the parent takes none now."""
        request = ConsoleRequest(next(self._numbers), dict(operator), dict(environment))
        try:
            socket.send_fds(self._control, [pack(request)], [terminal])
        except OSError as error:
            why = "Too many are being opened, or their parent is being replaced."
            raise TryAgain("The console could not be opened", why, "Log in again in a moment.") from error
        self._running[request.number] = on_end
        return request.number

    def end(self, number: int) -> None:
        """Ask a console to end; nothing happens if it has."""
        self._signal(number, signal.SIGTERM)

    def kill(self, number: int) -> None:
        """Kill a console; nothing happens if it has ended."""
        self._signal(number, signal.SIGKILL)

    def _signal(self, number: int, kind: signal.Signals) -> None:
        if number in self._running:
            with suppress(OSError):
                self._control.send(pack({"number": number, "signal": kind}))

    async def close(self) -> None:
        """End all consoles and the parent, and wait for them."""
        self._leave()
        if not self._running:
            self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, _END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _start(self) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            argv = [sys.executable, "-P", "-m", _PROGRAM, str(its.fileno())]
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=self._environment,
                pass_fds=[its.fileno()],
                start_new_session=True,  # no signal of a terminal is meant for it
            )
        self._control = ours
        ours.setblocking(False)
        ours.send(pack(self._home))
        asyncio.get_running_loop().add_reader(ours, self._take)

    def _leave(self) -> None:
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()

    def _take(self) -> None:
        try:
            packet = self._control.recv(MAX_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            packet = b""
        if not packet:
            self._replace()
            return
        content = unpack(packet)
        if (on_end := self._running.pop(content["ended"], None)) is not None:
            on_end(content["status"])

    def _replace(self) -> None:
        """Start a new parent, and say of all consoles that they have ended: their terminals hang up then."""
        self._leave()
        self._process.kill()
        log(f"the parent of the consoles ended with {self._process.wait()}; a new one is started")
        running, self._running = self._running, {}
        asyncio.get_running_loop().call_later(_RESTART_SECONDS, self._start)  # it may die again, at once
        for on_end in running.values():
            on_end(_LOST_STATUS)
