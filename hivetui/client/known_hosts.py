"""The host keys that this user knows, as OpenSSH keeps them: they are always checked, whatever ssh_config says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import asyncssh

_USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_DEFAULT_PORT = 22


class KnownHosts:
    """The files of known host keys that apply to one destination, and what they say about a key."""

    def __init__(self, options: asyncssh.SSHClientConnectionOptions) -> None:
        user, shared = (
            _files(options.config.get(option), default)
            for option, default in (("UserKnownHostsFile", _USER_FILES), ("GlobalKnownHostsFile", _GLOBAL_FILES))
        )
        self._user_files = user
        self._existing = [str(path) for path in (*user, *shared) if os.access(path, os.R_OK)]

    @property
    def for_asyncssh(self) -> list[str] | bytes:
        """What asyncssh takes; never its None or [], by which it would check nothing."""
        return self._existing or b""

    @property
    def learning_file(self) -> Path | None:
        """The file that a new key is added to; None where there is none."""
        return self._user_files[0] if self._user_files else None

    def has_other_keys(self, host: str, address: str, port: int) -> bool:
        """Whether keys of this host are known, so that one that is not among them has changed."""
        keys, authorities, *_ = asyncssh.match_known_hosts(
            self.for_asyncssh, host, address, port if port != _DEFAULT_PORT else None
        )
        return bool(keys or authorities)


def _files(configured: object, default: Sequence[str]) -> list[Path]:
    """The files of an option of ssh_config; `none` there, which asyncssh gives as [], means none."""
    names = configured if isinstance(configured, list) else default
    return [Path(str(name)).expanduser() for name in names]
