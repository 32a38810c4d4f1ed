"""One login by SSH: the check of the host key, what the server says meanwhile, and the errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncssh

from hivetui.client.host_keys import UnknownHostKey
from hivetui.client.known_hosts import KnownHosts
from hivetui.engine.model.addresses import Address
from hivetui.engine.model.errors import BadConfiguration, HiveError, NotAllowed, Unavailable
from hivetui.engine.model.text import safe

Announce = Callable[[str], None]
"""Shows a line to the operator; it is safe to print."""


class Unreachable(Unavailable):
    """The host cannot be connected to now; it may be later."""


class SshClient(asyncssh.SSHClient):
    """The client's side of one login, and how far it came."""

    def __init__(self, address: Address, known: KnownHosts, announce: Announce) -> None:
        self._address, self._known, self._announce = address, known, announce
        self._rejected: HiveError | None = None
        self._has_begun_login = False
        self._limit = asyncio.timeout(None)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Refuse a key that is not among the known ones, and keep why: it is asked for no other."""
        if self._known.has_other_keys(host, addr, port):
            why = f"It sent {key.get_algorithm()} {key.get_fingerprint()}. Someone may be between you and the host."
            fix = f"Ask who runs the host. If it has a new key: ssh-keygen -R {host}, then connect with ssh."
            self._rejected = Unavailable(f"The host key of {host} has changed", why, fix)
        else:
            pattern = host if port == asyncssh.DEFAULT_PORT else f"[{host}]:{port}"
            entry = f"{pattern} {key.export_public_key().decode('ascii').strip()}\n"
            text = f"{key.get_algorithm()} {key.get_fingerprint()}"
            self._rejected = UnknownHostKey(host, text, entry, self._known.learning_file)
        return False

    def begin_auth(self, username: str) -> None:
        """The host is the right one, and the login begins: it may wait for a person, for as long as asyncssh does."""
        self._has_begun_login = True
        self._limit.reschedule(None)

    @asynccontextmanager
    async def limited(self, seconds: float) -> AsyncIterator[None]:
        """Raise TimeoutError unless the login begins within that time."""
        async with asyncio.timeout(seconds) as self._limit:
            yield

    def auth_banner_received(self, msg: str, lang: str) -> None:
        """Show what the server says before the login has ended: a notice, or a link at which to log in."""
        for line in msg.splitlines():
            if line.strip():
                self._announce(safe(line))

    @contextmanager
    def errors_translated(self) -> Iterator[None]:
        """Turn what asyncssh raises while connecting into errors of ours: 77 for a refused login, else 69 or 78."""
        host = self._address.host
        try:
            yield
        except asyncssh.HostKeyNotVerifiable as error:
            raise self._rejected or Unavailable(*_unverifiable(host, error)) from error
        except (asyncssh.ConnectionLost, OSError) as error:
            raise Unreachable(f"{host} cannot be reached", describe(error), _REACH) from error
        except asyncssh.DisconnectError as error:
            if self._has_begun_login:
                raise NotAllowed(f"{host} refused the login", describe(error), _LOGIN) from error
            raise Unavailable(f"No SSH connection to {host} was made", describe(error), _REACH) from error
        except (asyncssh.Error, asyncssh.PasswordChangeRequired) as error:
            raise NotAllowed(f"{host} refused the login", describe(error), _LOGIN) from error
        except ValueError as error:  # a line of ssh_config or a key file
            raise BadConfiguration(f"The SSH settings for {host} cannot be used", describe(error), _CONFIG) from error


_REACH = "Check the name, the port and the network: ssh connects with the same settings."
_LOGIN = "Check the user and the key (ssh-add -l): ssh logs in with the same ones."
_CONFIG = "Correct ~/.ssh/config or the key file that it names."


def describe(error: Exception) -> str:
    """What asyncssh or the system says, as a sentence."""
    if isinstance(error, TimeoutError) and not error.args:
        return "It did not answer in time."
    text = safe(getattr(error, "reason", "") or getattr(error, "strerror", None) or str(error) or type(error).__name__)
    return f"{text.rstrip('.')}."


def _unverifiable(host: str, error: asyncssh.DisconnectError) -> tuple[str, str, str]:
    return f"The host key of {host} is not accepted", describe(error), "See known_hosts for this host."
