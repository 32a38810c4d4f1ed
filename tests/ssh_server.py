"""A real OpenSSH server on the loopback, one process a connection, and the home of a user who may log in to it."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncssh
import pytest

from tests.waiting import until

SSHD = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
needs_sshd = pytest.mark.skipif(SSHD is None, reason="sshd is not installed (openssh-server)")
USER = getpass.getuser()
_PRIVILEGE_SEPARATION = Path("/run/sshd")
"""sshd of Debian refuses to run as root without it."""


def make_host_key(folder: Path) -> asyncssh.SSHKey:
    """A new host key for the server of this folder."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path = folder / "host_key"
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(key.export_private_key())
    return key


def configure_sshd(folder: Path, authorized: asyncssh.SSHKey, *options: str) -> Path:
    """The configuration of a server that one key may log in to."""
    if os.geteuid() == 0:
        _PRIVILEGE_SEPARATION.mkdir(exist_ok=True)
    (folder / "authorized_keys").write_bytes(authorized.export_public_key())
    lines = (
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "PidFile none",
        *options,
    )
    config = folder / "sshd_config"
    config.write_text("".join(f"{line}\n" for line in lines))
    return config


class SshServer:
    """It listens until it is closed; `cut` ends every connection as a broken line does."""

    def __init__(self, folder: Path, authorized: asyncssh.SSHKey, *options: str) -> None:
        folder.mkdir()
        self._folder = folder
        self.key = self.change_host_key()
        self._config = configure_sshd(folder, authorized, *options)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lines: list[socket.socket] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def change_host_key(self) -> asyncssh.SSHKey:
        """Give it a new host key."""
        self.key = make_host_key(self._folder)
        return self.key

    @property
    def known_hosts_line(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.key.export_public_key().decode().strip()}\n"

    @property
    def logins(self) -> int:
        """How many connections there have been."""
        return len(self._processes)

    def cut(self) -> None:
        """Break every line that is open."""
        for line in self._lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Answer nothing more on the connections that are open, as when a network drops packets."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGSTOP)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        self.cut()
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
            process.wait(30)
        for line in self._lines:
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            argv = [str(SSHD), "-i", "-f", str(self._config), "-E", str(self._folder / "log")]
            self._lines.append(line)
            self._processes.append(
                subprocess.Popen(
                    argv,
                    stdin=line.fileno(),
                    stdout=line.fileno(),
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )


@contextmanager
def ssh_agent(socket: Path, *keys: Path) -> Iterator[Path]:
    """An ssh-agent with the keys of these files, which listens there."""
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
        try:
            until(socket.exists)
            if keys:
                environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
                subprocess.run(["ssh-add", "-q", *map(str, keys)], env=environment, check=True, capture_output=True)
            yield socket
        finally:
            agent.terminate()


class SshUser:
    """A user with a home, a key, and the host keys that this user knows."""

    def __init__(self, home: Path) -> None:
        self.folder = home / ".ssh"
        self.folder.mkdir(parents=True, mode=0o700)
        self.key = self.change_key()

    def change_key(self) -> asyncssh.SSHKey:
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        path = self.folder / "id_ed25519"
        path.touch(0o600)
        path.write_bytes(self.key.export_private_key())
        return self.key

    def learn(self, *servers: SshServer) -> None:
        """Know the keys of these servers, and no others."""
        self.known_hosts.write_text("".join(server.known_hosts_line for server in servers))

    def configure(self, *lines: str) -> None:
        (self.folder / "config").write_text("".join(f"{line}\n" for line in lines))

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"
