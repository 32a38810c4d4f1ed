"""The server's side of SSH: who is let in, how many at once, and that there is nothing but the console."""

from __future__ import annotations

import asyncio

import asyncssh
from asyncssh.packet import PacketDecodeError

from hivetui.door.consoles import Consoles
from hivetui.door.log import log, shown_name
from hivetui.door.logins import Login, find_login
from hivetui.door.session import ConsoleChannel, ConsoleSession
from hivetui.engine.model.errors import TryAgain
from hivetui.engine.model.settings import ServeSection

ENCRYPTION = (
    *("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"),
    *("aes128-ctr", "aes256-ctr"),
)
KEX, MACS, SIGNATURES = "-*sha1,rsa*,*@ssh.com", "-*sha1*,umac-64*,*@ssh.com", "-ssh-rsa*,*@ssh.com"
"""What of asyncssh's algorithms is left out: SHA-1, short tags, and variants of other vendors."""
COMPRESSION = ("zlib@openssh.com", "none")
"""A frame of the console shrinks tenfold; strangers get nothing decompressed, since it begins with the login."""
KEEPALIVE_SECONDS = 30
"""After three of these without an answer the line is lost."""

_FAULTS_OF_A_PEER = (asyncssh.Error, OSError, PacketDecodeError, UnicodeDecodeError)
"""What ends a connection without being a bug: refusals, a lost line, and packets that cannot be read."""


class Door:
    """What the connections share: the settings, the consoles, and who is logging in and who is in."""

    def __init__(self, settings: ServeSection, consoles: Consoles) -> None:
        self.settings, self.consoles = settings, consoles
        self.waiting: dict[DoorConnection, None] = {}
        """Connections that have not logged in, the oldest first."""
        self.inside: set[DoorConnection] = set()
        self.sessions: set[ConsoleSession] = set()
        """Those with a console."""
        self.is_empty = asyncio.Event()
        self.is_empty.set()

    def wait_for_login(self, connection: DoorConnection) -> None:
        """Let a connection try to log in, in the place of the oldest one that does: nobody can keep others out."""
        while len(self.waiting) >= self.settings.max_logins:
            next(iter(self.waiting)).drop("others are waiting to log in")
        self.waiting[connection] = None

    def admit(self, connection: DoorConnection, login: Login) -> bool:
        """Let an operator in, unless too many connections of this operator are."""
        self.waiting.pop(connection, None)
        self.inside.add(connection)
        same = [one for one in self.inside if one.login is not None and one.login.operator == login.operator]
        return len(same) <= self.settings.max_sessions_each

    def forget(self, connection: DoorConnection) -> None:
        """A connection is gone."""
        self.waiting.pop(connection, None)
        self.inside.discard(connection)

    def open_session(self, session: ConsoleSession) -> None:
        """Count a console; TryAgain when there are too many."""
        each, operator = self.settings.max_sessions_each, session.login.operator
        fix = "Close one of them (Q), and log in again."
        if len([one for one in self.sessions if one.login.operator == operator]) >= each:
            raise TryAgain(f"{operator} has {each} consoles already", "An operator can have no more.", fix)
        if len(self.sessions) >= self.settings.max_sessions:
            raise TryAgain("There are too many consoles", f"At most {self.settings.max_sessions} are open.", fix)
        self.sessions.add(session)
        self.is_empty.clear()

    def close_session(self, session: ConsoleSession) -> None:
        """A console has ended, or could not be opened."""
        self.sessions.discard(session)
        if not self.sessions:
            self.is_empty.set()


class DoorConnection(asyncssh.SSHServer):
    """One connection. What is not overridden here asyncssh refuses: passwords, certificates, forwarding, listening."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._connection: asyncssh.SSHServerConnection | None = None
        self._address = ""
        self._name = ""
        self._failures = self._accepted = 0
        self._refusal = "nobody tried to log in"
        self._unused: asyncio.TimerHandle | None = None
        self._sessions: set[ConsoleSession] = set()
        self._is_in = False
        self.login: Login | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody has connected."""
        peer = conn.get_extra_info("peername") or ("unknown",)  # one that has left again has no address
        self._connection, self._address = conn, str(peer[0])
        self._door.wait_for_login(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over; a stranger's is one line of the log."""
        if not self._is_in:
            log(f"no login from {self._address}, user {shown_name(self._name)}: {self._refusal}")
        if exc is not None and not isinstance(exc, _FAULTS_OF_A_PEER):
            log(f"a bug ended a connection: {type(exc).__name__}: {exc}")
        self._connection = None
        if self._unused is not None:
            self._unused.cancel()
        self._door.forget(self)

    def drop(self, why: str) -> None:
        """Close the connection at once."""
        self._refusal = why
        self._door.forget(self)
        if self._connection is not None:
            self._connection.abort()

    def begin_auth(self, username: str) -> bool:
        """A user name is given, and each has to show a key. Another one counts as a failure: it may be a guess."""
        if self._name:
            self._count_failure(f"another user name, {shown_name(username)}")
        self._name = username
        return True

    def public_key_auth_supported(self) -> bool:
        """Keys are the only way in."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether this key lets this user in; asyncssh checks the signature afterwards, or was only asked about it."""
        found = find_login(self._door.settings.operators, username, key.public_data, self._address)
        if isinstance(found, str):
            self._count_failure(f"{found} ({key.get_fingerprint()})")
            return False
        self._accepted += 1
        if self._accepted > 2 * self._door.settings.login_attempts:  # each right signature takes two
            self._count_failure("signatures of this key are wrong")
            return False
        self.login = found
        return True

    def auth_completed(self) -> None:
        """The signature was right, and of the key that was validated last: asyncssh does both in one step."""
        assert self.login is not None
        if not self._door.admit(self, self.login):
            self._refusal = "this operator has too many connections"
            self._disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, "You have too many connections")
            return
        self._is_in = True
        log(f"login of {self.login.operator} from {self.login.address} with {self.login.key}")
        self._expect_console()

    def session_requested(self) -> tuple[ConsoleChannel, ConsoleSession] | bool:
        """A channel for a console."""
        if self.login is None or self._connection is None or len(self._sessions) >= self._each:
            return False
        idle_seconds = self._door.settings.idle_seconds
        session = ConsoleSession(self.login, self._door.consoles, idle_seconds, self._door.open_session, self._closed)
        self._sessions.add(session)
        return ConsoleChannel(self._connection), session

    @property
    def _each(self) -> int:
        return self._door.settings.max_sessions_each

    def _closed(self, session: ConsoleSession) -> None:
        if session.is_lost:
            self._sessions.discard(session)
        if not session.has_console:
            self._door.close_session(session)
        self._expect_console()

    def _expect_console(self) -> None:
        """Close the connection after the time of a login if it is not used for a console then."""
        if self._unused is not None:
            self._unused.cancel()
        if self._connection is None:
            return
        self._unused = asyncio.get_running_loop().call_later(self._door.settings.login_seconds, self._close_unused)

    def _close_unused(self) -> None:
        if not self._sessions & self._door.sessions:
            self._disconnect(asyncssh.DISC_BY_APPLICATION, "No console was opened")

    def _count_failure(self, why: str) -> None:
        self._failures += 1
        self._refusal = why
        if self._failures >= self._door.settings.login_attempts:
            self._disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many attempts to log in")

    def _disconnect(self, code: int, reason: str) -> None:
        if self._connection is not None:
            self._connection.disconnect(code, reason)
