"""One session: the channel of an operator, connected to a terminal with a console in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import asyncssh

from hivetui.door.consoles import Consoles
from hivetui.door.log import log
from hivetui.door.logins import Login
from hivetui.door.terminal import Terminal
from hivetui.engine.host import files
from hivetui.engine.model.errors import HiveError, WrongUsage

if TYPE_CHECKING:
    from asyncssh.packet import SSHPacket

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,63}", re.ASCII)
"""What TERM, LANG and COLORTERM can be: the name of a file, and never a path."""
_PASSED_ON = ("LANG", "COLORTERM")
_DUMB = "dumb"
_INPUT_WINDOW_BYTES = 64 << 10
_OUTPUT_BYTES = 64 << 10
"""How much output waits for a slow client; then the console waits, and paints only the newest frame."""
_FLUSH_SECONDS = 2.0
"""How long the last output of a console that has ended may take; a slow client may lose the rest."""
_KILL_SECONDS = 5.0
"""How long a console may take to end after its terminal has hung up."""


class ConsoleChannel(asyncssh.SSHServerChannel[bytes]):
    """The channel of a session. It refuses every variable but two, and what would reach another service."""

    def __init__(self, connection: asyncssh.SSHServerConnection) -> None:
        loop, packet_bytes = asyncio.get_running_loop(), _INPUT_WINDOW_BYTES // 2
        super().__init__(connection, loop, True, False, False, 0, 0, None, "strict", _INPUT_WINDOW_BYTES, packet_bytes)
        self.set_write_buffer_limits(_OUTPUT_BYTES)

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        packet.check_end()
        if name.decode("ascii", "surrogateescape") not in _PASSED_ON:
            return False
        self._env[name] = value
        return True

    def _process_x11_req_request(self, packet: SSHPacket) -> bool:
        return False

    def _process_auth_agent_req_at_openssh_dot_com_request(self, packet: SSHPacket) -> bool:  # type: ignore[override]
        return False


class ConsoleSession(asyncssh.SSHServerSession[bytes]):
    """Starts a console when a shell is asked for, and ends it when the channel is lost.

    `admit` raises an error of ours if there are too many already. `on_end` is called when the console has ended, and
    when the channel is closed, which a client may delay: `has_console` and `is_lost` say what is over.
    """

    def __init__(
        self,
        login: Login,
        consoles: Consoles,
        idle_seconds: int,
        admit: Callable[[ConsoleSession], None],
        on_end: Callable[[ConsoleSession], None],
    ) -> None:
        self.login = login
        self._consoles, self._idle_seconds, self._admit, self._on_end = consoles, idle_seconds, admit, on_end
        self._loop = asyncio.get_running_loop()
        self._channel: Any = None
        self._type: str | None = None
        self._terminal: Terminal | None = None
        self._number: int | None = None
        self._status: int | None = None
        self.is_lost = False
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The channel is open."""
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: object) -> bool:
        """The client has a terminal of this type."""
        self._type = term_type if _WORD.fullmatch(term_type) else _DUMB
        return True

    def shell_requested(self) -> bool:
        """The console is what this door has for a shell. Commands, subsystems and all else are refused."""
        return True

    def session_started(self) -> None:
        """Open the console, or say why not and end."""
        try:
            self._open()
        except HiveError as error:
            log(f"no console for {self.login.operator}: {error.what}")
            self._channel.write_stderr("".join(f"{line}\r\n" for line in str(error).splitlines()).encode())
            self._channel.exit(error.code)
            self._on_end(self)

    @property
    def has_console(self) -> bool:
        """Whether a console was opened and runs."""
        return self._number is not None and self._status is None

    def _open(self) -> None:
        if self._type is None:
            raise WrongUsage("The console needs a terminal", "None was asked for.", "Connect with: ssh -t")
        if self._type == _DUMB:
            raise WrongUsage("The console needs a terminal that can move its cursor", "", "Set TERM, and try again.")
        self._admit(self)
        with files.translate_os_errors("No terminal could be made for the console"):
            self._terminal = Terminal(self._channel.write, self._exit_when_done, self._channel.resume_reading)
        try:
            self._terminal.resize(*self._channel.get_terminal_size()[:2])
            login, terminal = self.login, self._terminal
            operator = {"name": login.operator, "source": login.address, "key": login.key}
            self._number = self._consoles.open(operator, self._environment(), terminal.inner, self._ended)
        finally:
            self._terminal.give_away()
        self._watch_idleness()
        log(f"console {self._number} for {login.operator} from {login.address} is open")

    def _environment(self) -> dict[str, str]:
        given = self._channel.get_environment()
        passed_on = {name: value for name in _PASSED_ON if _WORD.fullmatch(value := given.get(name, ""))}
        return {"TERM": self._type or _DUMB, "HOME": "/nonexistent", "SSH_TTY": "door", **passed_on}

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Keys of the operator."""
        if self._terminal is not None and datatype is None:
            self._watch_idleness()
            if not self._terminal.write(data):
                self._channel.pause_reading()

    def eof_received(self) -> bool:
        """The client sends nothing more; it may still look."""
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """The client's terminal has another size."""
        if self._terminal is not None:
            self._terminal.resize(width, height)

    def pause_writing(self) -> None:
        """The client is slower than the console."""
        if self._terminal is not None:
            self._terminal.pause()

    def resume_writing(self) -> None:
        """The client has taken what was written."""
        if self._terminal is not None:
            self._terminal.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed or its connection lost: hang up, and kill a console that does not end by that."""
        if self._idle is not None:
            self._idle.cancel()
        if self._terminal is not None:
            self._terminal.close()
        self.is_lost = True
        if self._number is not None and self.has_console:
            self._loop.call_later(_KILL_SECONDS, self._consoles.kill, self._number)
        self._on_end(self)

    def _ended(self, status: int) -> None:
        """The console has ended; what it wrote last may still be on its way."""
        log(f"console {self._number} for {self.login.operator} ended with {status}")
        self._status = status
        self._on_end(self)
        self._exit_when_done()
        self._loop.call_later(_FLUSH_SECONDS, self._exit)

    def _exit_when_done(self) -> None:
        if self._terminal is not None and self._terminal.has_ended:
            self._exit()

    def _exit(self) -> None:
        """Tell the client the status, if the console has ended; whoever still has its terminal loses it."""
        if self._status is not None and not self.is_lost and not self._channel.is_closing():
            self._channel.exit(self._status)

    def _watch_idleness(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._idle_seconds:
            self._idle = self._loop.call_later(self._idle_seconds, self._close_idle)

    def _close_idle(self) -> None:
        log(f"console {self._number} for {self.login.operator}: nothing was typed for {self._idle_seconds} s")
        self.end()

    def end(self) -> None:
        """Ask the console to end and to give the client its terminal back; it is killed when that takes long."""
        if self._number is not None and self.has_console:
            self._consoles.end(self._number)
            self._loop.call_later(_KILL_SECONDS, self._consoles.kill, self._number)
