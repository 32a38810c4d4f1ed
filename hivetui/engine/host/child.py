"""A child process and its process group: how it is started, waited for and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from hivetui.engine.host import process_handle, procfs
from hivetui.engine.host.host import Command
from hivetui.engine.host.output import wait_readable
from hivetui.engine.model.errors import HiveError, NotAllowed, Unavailable

_POLL_SECONDS = 0.02
_NEEDS_SYSTEMD = "Run this on a host with systemd, or try the embedded hive with --embedded DIR."
_INSTALL = {
    "git": "Add pkgs.git to environment.systemPackages, or set HYPERHIVE_GIT to the program.",
    "nix": "Install nix; on NixOS it is always installed, so check PATH.",
    "nix-env": "Install nix; on NixOS it is always installed, so check PATH.",
    "nixos-container": "Set boot.enableContainers = true in the host's configuration and rebuild it.",
    "systemctl": _NEEDS_SYSTEMD,
    "journalctl": _NEEDS_SYSTEMD,
    "machinectl": _NEEDS_SYSTEMD,
}
_running_groups: set[int] = set()
"""The process groups of all children that have not been reaped yet."""


def kill_all() -> None:
    """Kill every running child with its group, from any thread and without waiting; for a process about to exit."""
    for group in tuple(_running_groups):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


class Child:
    """One running program that leads a process group of its own.

    Unavailable or NotAllowed when it cannot be started. Whoever makes one has to await `end` and `close`.
    """

    def __init__(self, command: Command, environment: Mapping[str, str] | None, in_our_session: bool) -> None:
        self._process = _spawn(command, environment, in_our_session)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdout, self.stderr = self._process.stdout, self._process.stderr
        self.status = 0
        _running_groups.add(self._process.pid)
        self._pidfd = os.pidfd_open(self._process.pid)
        self.exited = asyncio.ensure_future(wait_readable(self._pidfd))
        """Done once the program itself has exited."""

    async def end(self, grace: float, kill_strays: bool) -> bool:
        """SIGTERM to what still runs of the group, after `grace` seconds SIGKILL; reap it and set `status`.

        With `kill_strays` descendants that left the group (builders of nix do) are killed too, unless the program had
        exited by itself; to find them, all of /proc is read. Returns whether anything still ran.
        """
        search = kill_strays and not self._has_exited()
        strays = process_handle.descendants(self._process.pid) if search else ()
        was_running = self._is_group_running()
        try:
            if was_running:
                self._signal_group(signal.SIGTERM)
                await self._wait_group_exit(grace)
        finally:
            self._signal_group(signal.SIGKILL)
            for stray in strays:
                stray.kill()
            self.status = self._process.wait()
            _running_groups.discard(self._process.pid)
        return was_running

    async def close(self) -> None:
        """Close the pipes and the pidfd, after `end`."""
        await asyncio.wait([self.exited])
        self._close_descriptors()

    def abandon(self) -> None:
        """Kill and reap the program and close its descriptors, unless `end` and `close` have; never waits for anyone.

        An event loop that shuts down cancels every task, also one that has not begun to run `end` yet.
        """
        if self.stdout.closed:
            return
        if self._process.returncode is None:
            self._signal_group(signal.SIGKILL)
            self.status = self._process.wait()
            _running_groups.discard(self._process.pid)
        loop = asyncio.get_running_loop()
        for descriptor in (self.stdout.fileno(), self.stderr.fileno(), self._pidfd):
            loop.remove_reader(descriptor)
        self._close_descriptors()

    def _close_descriptors(self) -> None:
        self.stdout.close()
        self.stderr.close()
        os.close(self._pidfd)

    def _has_exited(self) -> bool:
        return self._process.poll() is not None

    def _is_group_running(self) -> bool:
        """Whether the program or a member of its group runs; the kernel keeps the group's number while it has any."""
        return not self._has_exited() or (self._signal_group(0) and procfs.is_group_running(self._process.pid))

    async def _wait_group_exit(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        await asyncio.wait([self.exited], timeout=seconds)
        while self._is_group_running() and time.monotonic() < deadline:  # noqa: ASYNC110  the kernel reports no such exit
            await asyncio.sleep(_POLL_SECONDS)

    def _signal_group(self, number: int) -> bool:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # a member runs as another user; we cannot end it
            return number != 0
        return True


def _spawn(command: Command, environment: Mapping[str, str] | None, in_our_session: bool) -> subprocess.Popen[bytes]:
    """Start it; its input is a file in memory, so that no task has to feed a pipe."""
    env = environment if command.env is None else command.env
    try:
        with _input_file(command.stdin) as stdin:
            return subprocess.Popen(
                command.argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=command.cwd,
                env=env,
                start_new_session=not in_our_session,
                process_group=0 if in_our_session else None,
                pass_fds=command.pass_fds,
            )
    except OSError as error:
        raise _spawn_error(command, error) from error


def _input_file(data: bytes) -> IO[bytes]:
    if not data:
        return Path(os.devnull).open("rb")
    file = os.fdopen(os.memfd_create("stdin"), "w+b")
    file.write(data)
    file.seek(0)
    return file


def _spawn_error(command: Command, error: OSError) -> HiveError:
    program, why = command.argv[0], error.strerror or str(error)
    if command.cwd is not None and not command.cwd.is_dir():
        return Unavailable(f"{program} could not be run in {command.cwd}", "There is no such directory.", "")
    if isinstance(error, PermissionError):
        return NotAllowed(f"{program} could not be run", why, "Check the permissions of that program.")
    if isinstance(error, FileNotFoundError):
        fix = _INSTALL.get(Path(program).name, f"Install {Path(program).name}, or add its directory to PATH.")
        return Unavailable(f"{program} is not installed", "It was not found on PATH.", fix)
    return Unavailable(f"{program} could not be run", why, "Check this host with: hivetui doctor")
