"""The console of one session: a forked process on a terminal of its own, and a client of the engine's service."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from hivetui import app
from hivetui.client.connection import Connection, ConnectionLost
from hivetui.client.hive import RemoteHive
from hivetui.client.transports import over_socket
from hivetui.client.unix_socket import connect_to_service
from hivetui.console.session import HiveOpener
from hivetui.console.terminal.terminal_app import print_crash_report
from hivetui.door.messages import ConsoleRequest, Home
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError, Unavailable
from hivetui.engine.model.settings import Settings
from hivetui.engine.model.text import safe_lines

_MAX_FILE_BYTES = 1 << 20
"""Of a report of a bug, the only file that a console of the door can write."""


def run(home: Home, request: ConsoleRequest, terminal: int) -> NoReturn:
    """Be the console until its operator closes it or the terminal hangs up."""
    status = os.EX_SOFTWARE
    try:
        _take_terminal(terminal)
        _forget_parent(request.environment | {"XDG_STATE_HOME": home.reports})
        status = app.run(_opener(home, request), lambda: Settings.model_validate(home.settings, strict=False))
    except HiveError as error:
        for line in safe_lines(str(error)):
            sys.stderr.write(f"{line}\n")
        status = error.code
    except Exception as bug:  # noqa: BLE001  nothing above reports it
        print_crash_report(bug)
    finally:
        os._exit(status)


def _take_terminal(terminal: int) -> None:
    """Have this terminal and no other descriptor: what belongs to other sessions cannot be reached from here."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for standard in (0, 1, 2):
        os.dup2(terminal, standard)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _forget_parent(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))


def _opener(home: Home, request: ConsoleRequest) -> HiveOpener:
    async def connect() -> Connection:
        connected = connect_to_service(Path(home.socket))
        if connected is None:
            raise ConnectionLost(f"Nothing listens at {home.socket}.")
        return await over_socket(connected)

    async def open_hive() -> Hive:
        hive = RemoteHive(connect, home.role, operator=request.operator)
        try:
            await hive.open()
        except ConnectionLost as lost:
            fix = "Ask who runs the host to start it: systemctl start hivetui"
            raise Unavailable("The engine of this hive is not there", lost.why, fix) from lost
        return hive

    return open_hive
