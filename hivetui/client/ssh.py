"""A connection to the engine of another host, over SSH as the user's own `ssh` would make it.

The user's ssh_config (host names, users, ports, identity files, ProxyJump), agent and known_hosts apply. Importing
asyncssh takes 0.4 s: this module is imported for --host only.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import asyncssh

from hivetui.client import ssh_config
from hivetui.client.connection import Connection, ConnectionLost
from hivetui.client.destinations import Destination
from hivetui.client.known_hosts import KnownHosts
from hivetui.client.ssh_client import Announce, SshClient, Unreachable, describe
from hivetui.client.ssh_session import EngineSession
from hivetui.engine.model.addresses import Address
from hivetui.engine.model.errors import BadConfiguration, HiveError, Unavailable

_CONNECT_SECONDS = 15
"""How long it may take until the login begins, where ssh_config has no ConnectTimeout."""
_KEEPALIVE_SECONDS, _KEEPALIVES = 5, 3
"""A line that is silent for their product is lost."""
_LOOPBACK = "127.0.0.1"
_MAX_JUMPS = 8
"""More of them are a loop in ssh_config."""


class SshRoute:
    """The way to the engine of one host; every connection is an SSH login of its own."""

    def __init__(self, destination: Destination, announce: Announce) -> None:
        self._destination, self._announce = destination, announce
        self._was_connected = False

    async def connect(self) -> Connection:
        """Log in and connect to the engine. After the first time ConnectionLost says that it may succeed later."""
        try:
            logins = await self._log_in(self._destination.address, None, 0)
        except Unreachable as error:
            if self._was_connected:
                raise ConnectionLost(f"{error.what}: {error.reason}") from error
            raise
        try:
            session = await self._open_engine(logins[-1])
        except BaseException:
            await _close(logins)
            raise
        self._was_connected = True
        return _SshConnection(session, logins, partial(self._describe_end, session))

    async def _log_in(
        self, address: Address, tunnel: asyncssh.SSHClientConnection | None, depth: int
    ) -> list[asyncssh.SSHClientConnection]:
        """Log in through each host of ProxyJump, as `ssh` does; all connections that it took, that to the host last."""
        if depth > _MAX_JUMPS:
            why = f"{address.host} is reached through itself, or through more than {_MAX_JUMPS} others."
            raise BadConfiguration("ProxyJump has no end", why, "Correct ProxyJump in ~/.ssh/config.")
        options = ssh_config.load_options(address)
        known = KnownHosts(options)
        client = SshClient(address, known, self._announce)
        logins: list[asyncssh.SSHClientConnection] = []
        try:
            for jump in ssh_config.jumps(options) if tunnel is None else ():
                logins += await self._log_in(jump, logins[-1] if logins else None, depth + 1)
            with client.errors_translated():
                async with client.limited(options.connect_timeout or _CONNECT_SECONDS):
                    login = await asyncssh.connect(
                        **ssh_config.login_arguments(address, options),
                        tunnel=logins[-1] if logins else tunnel,
                        known_hosts=known.for_asyncssh,
                        client_factory=lambda: client,
                        agent_forwarding=False,
                        connect_timeout=None,
                        keepalive_interval=_KEEPALIVE_SECONDS,
                        keepalive_count_max=_KEEPALIVES,
                    )
        except BaseException:
            await _close(logins)
            raise
        return [*logins, login]

    async def _open_engine(self, login: asyncssh.SSHClientConnection) -> EngineSession:
        """A session with the socket over there or, where none listens, with a process."""
        name, socket, command = self._destination.name, self._destination.socket, self._destination.command
        why = ""
        if socket is not None:
            session = EngineSession()
            try:
                await login.create_unix_connection(cast("Any", lambda: session), socket)
            except asyncssh.ChannelOpenError as error:
                why = f"{socket} there cannot be connected to: {describe(error)}"
            else:
                return session
        if command is not None:
            session = EngineSession()
            try:
                await login.create_session(
                    lambda: session, shlex.join(command), encoding=None, request_pty=False, x11_forwarding=False
                )
            except asyncssh.ChannelOpenError as error:
                why = f"{why} {shlex.join(command)} there cannot be run: {describe(error)}"
            else:
                return session
        raise Unavailable(f"No engine answers on {name}", why.strip(), _ENGINE)

    def _describe_end(self, session: EngineSession) -> str | HiveError:
        name = self._destination.name
        if session.loss is not None or session.status is None:
            why = "" if session.loss is None else f": {describe(session.loss)}"
            return f"The line to {name} is gone{why or '.'} It is made again."
        why = f"{shlex.join(self._destination.command or ())} ended there with {session.status}. {session.last_errors}"
        return why if session.has_answered else Unavailable(f"No engine answers on {name}", why, _ENGINE)


class _SshConnection(Connection):
    """A connection whose SSH logins end with it."""

    def __init__(
        self,
        session: EngineSession,
        logins: Sequence[asyncssh.SSHClientConnection],
        describe_end: Callable[[], str | HiveError],
    ) -> None:
        super().__init__(session.reader, session.new_writer(), describe_end)
        self._logins = logins
        self._forwards: dict[int, int] = {}

    async def forward(self, port: int) -> int:
        """A port of the loopback that leads to one over there for as long as this connection lasts.

        Unavailable when nothing answers there, or the server forwards nothing.
        """
        if port not in self._forwards:
            login = self._logins[-1]
            try:
                _, trial = await login.open_connection(_LOOPBACK, port)
                trial.close()
                listener = await login.forward_local_port(_LOOPBACK, 0, _LOOPBACK, port)
            except (asyncssh.Error, OSError) as error:
                why = f"Port {port} there cannot be connected to: {describe(error)}"
                raise Unavailable("The page does not answer", why, "See the log of the agent.") from error
            self._forwards[port] = listener.get_port()
        return self._forwards[port]

    async def close(self) -> None:
        """Log out. The other side is not asked to close the channel first: a silent line would be waited for."""
        await _close(self._logins)
        await super().close()


_ENGINE = "Start the service of the hive there, or put hivetui on the PATH of that login."


async def _close(logins: Sequence[asyncssh.SSHClientConnection]) -> None:
    for login in reversed(logins):
        login.close()
        await login.wait_closed()
