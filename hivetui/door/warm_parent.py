"""A process in which everything that a console needs is imported, and which is forked for each console.

It is started by the server of the door, ends with it, and is told by it what to do (`messages`). It has no thread and
no event loop, so a fork is whole, and it does not know the host key. A console is a session of its own, on the terminal
that came with its request.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

from hivetui.door.messages import MAX_BYTES, ConsoleRequest, Home, pack, unpack
from hivetui.engine import python_warnings

_PACKAGES = ("hivetui.console", "hivetui.widgets", "hivetui.screens")
"""Packages of which a console needs everything sooner or later."""
_MODULES = (
    "concurrent.futures.thread",
    "hivetui.app",
    "hivetui.client.hive",
    "hivetui.door.console_process",
    "textual.layouts.factory",
    "textual.scrollbar",
)
"""Other modules that are imported late, by us, asyncio and Textual."""
_END_SECONDS = 2.0


class WarmParent:
    """Forks consoles, and tells the server when one has ended."""

    def __init__(self, control: socket.socket, home: Home) -> None:
        self._control, self._home = control, home
        self._consoles: dict[int, tuple[int, int]] = {}
        """Number and process id of each console, by the descriptor of its process (pidfd_open(2))."""

    def serve(self) -> None:
        """Do what the server says until it closes the connection; then end all consoles."""
        while True:
            ready = self._wait()
            for descriptor in self._consoles.keys() & ready:
                self._report_end(descriptor)
            if self._control.fileno() in ready and not self._take():
                self._end_all()
                return

    def _wait(self) -> set[int]:
        """The descriptors at which something has happened: that of the server, and those of consoles that ended."""
        poll = select.poll()
        for descriptor in (self._control.fileno(), *self._consoles):
            poll.register(descriptor, select.POLLIN)
        return {descriptor for descriptor, _ in poll.poll()}

    def _take(self) -> bool:
        """Take one packet; False at the end."""
        packet, descriptors, _, _ = socket.recv_fds(self._control, MAX_BYTES, 1)
        if not packet:
            return False
        content = unpack(packet)
        if "signal" in content:
            self._signal(content["number"], content["signal"])
        else:
            self._fork(ConsoleRequest(**content), descriptors[0])
            os.close(descriptors[0])
        return True

    def _fork(self, request: ConsoleRequest, terminal: int) -> None:
        process = os.fork()
        if process == 0:
            self._become_console(request, terminal)
        self._consoles[os.pidfd_open(process)] = request.number, process

    def _become_console(self, request: ConsoleRequest, terminal: int) -> NoReturn:
        try:
            self._control.detach()  # its descriptor is closed with all others
            importlib.import_module("hivetui.door.console_process").run(self._home, request, terminal)
        finally:
            os._exit(os.EX_SOFTWARE)

    def _report_end(self, descriptor: int) -> None:
        number, process = self._consoles.pop(descriptor)
        os.close(descriptor)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        with suppress(ConnectionError):  # the server has ended, which is seen next
            self._control.send(pack({"ended": number, "status": status if status >= 0 else 128 - status}))

    def _signal(self, number: int, kind: int) -> None:
        for one, process in self._consoles.values():
            if one == number:
                os.kill(process, kind)

    def _end_all(self) -> None:
        for kind in (signal.SIGHUP, signal.SIGKILL):
            for _, process in self._consoles.values():
                os.kill(process, kind)
            for descriptor, (_, process) in list(self._consoles.items()):
                if select.select([descriptor], [], [], _END_SECONDS)[0]:
                    os.waitpid(process, 0)
                    del self._consoles[descriptor]


def main() -> int:
    """Serve on the descriptor that the command line names."""
    python_warnings.hide()  # stderr is the terminal of an operator in what is forked from this
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the server ends this process
    control = socket.socket(fileno=int(sys.argv[1]))
    home = Home(**unpack(control.recv(MAX_BYTES)))
    _import_everything()
    WarmParent(control, home).serve()
    return 0


def _import_everything() -> None:
    """Import what a console needs, and keep the garbage collector from touching it: it stays shared memory."""
    for module in _MODULES:
        importlib.import_module(module)
    for package in _PACKAGES:
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(found.name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
