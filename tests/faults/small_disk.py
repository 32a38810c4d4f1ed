"""A complete hive on a small disk, which is a tmpfs in a mount namespace of its own, and verbs run as an operator does.

The hive is created once, with one stopped agent: proposal 1 is deployed; 2, 3 and 4 are pending. Each test gets a copy
at the same path, because its repos and systems refer to each other by path.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hivetui.embedded import open_embedded
from hivetui.engine.containers import nixos_container, units
from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.settings import DeploySection, Settings
from hivetui.engine.operations import store
from hivetui.engine.proposals import queries
from hivetui.engine.recovery.repair import repair
from tests import invariants

BLOCK = 4096
_DISK_BYTES, _INODES = 16 << 20, 100_000
_NEW_MOUNTS, _NEW_NETWORK, _PRIVATE, _RECURSIVE = 0x20000, 0x40000000, 1 << 18, 1 << 14  # linux/sched.h, linux/mount.h
_SET_FLAGS, _UP = 0x8914, 1  # SIOCSIFFLAGS of linux/sockios.h, IFF_UP of linux/if.h
_SECONDS = 60.0  # a verb that takes longer hangs
_ENVIRONMENT = {
    "HIVETUI_EMBEDDED_NIX": "stand-in",
    "HIVETUI_EMBEDDED_BUILD_SECONDS": "0",
    "HIVETUI_DEPLOY__HEALTH_SECONDS": "0",
    "XDG_CONFIG_HOME": "/nonexistent",
}
_NO_RIGHTS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")  # root that may write only what is its own
_NOBODY = 65534
_GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{what}": "hm1nd" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@contextmanager
def own_namespaces() -> Iterator[None]:
    """Run the block in its own mount and network namespaces, which only this thread and its children see."""
    here, homes = Path.cwd(), [os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY) for kind in ("mnt", "net")]
    _call("unshare", _NEW_MOUNTS | _NEW_NETWORK)
    try:
        _call("mount", b"none", b"/", None, ctypes.c_ulong(_RECURSIVE | _PRIVATE), None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))
        yield
    finally:
        for thread in threading.enumerate():  # those that share our root keep it from being changed
            if thread.name.startswith(("asyncio_", "operation-")):
                thread.join()
        for home in homes:
            _call("setns", home, 0)
            os.close(home)
        os.chdir(here)


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library that returns -1 on failure."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


class Level(NamedTuple):
    """What is free on a disk: blocks for data, and inodes for new files (None: any number)."""

    blocks: int
    files: int | None = None

    def __str__(self) -> str:
        return f"{self.blocks * BLOCK >> 10} KiB" if self.files is None else f"{self.files} files"


class SmallDisk:
    """A tmpfs that can be filled to a given level."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount it empty for the block; processes that still use it afterwards do not keep it visible."""
        self.path.mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},nr_inodes={_INODES}", "none", self.path)
        try:
            yield
        finally:
            _run("umount", "--lazy", self.path)

    def fill(self, level: Level) -> None:
        """Fill it until no more than `level` is free."""
        stat = os.statvfs(self.path)
        if level.files is not None:
            self._limit_inodes(stat.f_files - stat.f_ffree + level.files)
            return
        with (self.path / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, (stat.f_bavail - level.blocks) * BLOCK)
        assert os.statvfs(self.path).f_bavail <= level.blocks

    def free(self) -> None:
        """Undo `fill`."""
        (self.path / "filler").unlink(missing_ok=True)
        self._limit_inodes(_INODES)

    def _limit_inodes(self, most: int) -> None:
        _run("mount", "-o", f"remount,nr_inodes={most}", self.path)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Make it read-only for the block; a running agent keeps the files that it has already opened."""
        _run("mount", "--bind", self.path, self.path)
        try:
            _run("mount", "-o", "remount,bind,ro", self.path)
            yield
        finally:
            _run("umount", self.path)

    @contextmanager
    def owned_by_nobody(self) -> Iterator[None]:
        """Make another user the owner of everything for the block."""
        _run("chown", "--recursive", "--no-dereference", f"{_NOBODY}:{_NOBODY}", self.path)
        try:
            yield
        finally:
            _run("chown", "--recursive", "--no-dereference", "0:0", self.path)


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=_SECONDS)


@dataclass(frozen=True)
class VerbResult:
    """The result of a verb."""

    words: tuple[str, ...]
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object on stdout."""
        (line,) = self.out.splitlines()
        content: dict[str, Any] = json.loads(line)
        return content


@dataclass(frozen=True)
class Snapshot:
    """What is decided, deployed and intended, so that a test can see that a refusal has changed nothing."""

    refs: Mapping[Path, Mapping[str, str]]
    files: Mapping[Path, bytes]
    agents: tuple[Path, ...]
    profile: Path | None
    up: bool
    operations: frozenset[int]


@dataclass(frozen=True)
class SmallHive:
    """An embedded hive on a small disk, and the agent that a test is about."""

    disk: SmallDisk
    name: str
    other: str
    place: str = "h"

    @property
    def folder(self) -> Path:
        return self.disk.path / self.place

    @property
    def host(self) -> Host:
        return open_embedded(self.folder, Settings(deploy=DeploySection(health_seconds=0)))

    @property
    def applied(self) -> AppliedRepo:
        return AppliedRepo(self.host, self.name)

    def run(self, *words: str, without_rights: bool = False) -> VerbResult:
        """Run a verb as a process of its own; a traceback or a timeout fails the test."""
        python = (sys.executable, "-P", "-m", "hivetui", "--embedded", str(self.folder))
        argv = (*(_NO_RIGHTS if without_rights else ()), *python, *words)
        modules = os.pathsep.join(filter(None, sys.path))
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            cwd="/",
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": modules},
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        assert "This is a bug" not in done.stdout + done.stderr, done.stdout + done.stderr
        return VerbResult(words, done.returncode, done.stdout, done.stderr)

    def run_successfully(self, *words: str) -> VerbResult:
        """Run a verb that has to succeed."""
        result = self.run(*words)
        assert result.status == 0, result
        return result

    def commit(self, text: str) -> str:
        """Commit a module with this text to proposed, and return the commit."""
        folder = self.host.paths.proposed(self.name)
        (folder / "agent.nix").write_text("{ ... }: { environment.variables.LEVEL = " + json.dumps(text) + "; }\n")
        self._git("commit", "--quiet", "--all", "--message", f"Level {text}")
        return self._git("rev-parse", "HEAD")

    def _git(self, *words: str) -> str:
        folder = self.host.paths.proposed(self.name)
        done = subprocess.run(("git", *words), cwd=folder, env=_GIT, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def is_up(self, name: str) -> bool:
        return units.is_up(asyncio.run(units.unit_states(self.host)), name)

    def state(self, number: int) -> ProposalState:
        return asyncio.run(queries.find_proposal(self.host, number)).state

    def pending_proposal(self, commit: str) -> int | None:
        """The id of the pending proposal of this commit."""
        pending = asyncio.run(queries.list_proposals(self.host, agent=self.name))
        return next((proposal.id for proposal in pending if proposal.commit == commit), None)

    def snapshot(self) -> Snapshot:
        """The current state."""
        paths = self.host.paths
        repos = (paths.meta / ".git", *paths.applied.glob("*/.git"))
        files = [*paths.containers.iterdir(), *paths.intent("x").parent.iterdir(), paths.limits(self.name)]
        return Snapshot(
            refs={repo: objects.refs(repo, "refs") for repo in repos},
            files={path: path.read_bytes() for path in files if path.exists()},
            agents=tuple(sorted(paths.agents.iterdir())),
            profile=nixos_container.system_of(self.host, self.name),
            up=self.is_up(self.name),
            operations=frozenset(operation.id for operation in store.list_operations(paths, ended=True)),
        )

    def repair_and_check(self) -> None:
        """Open the hive once more, now that the disk has space, and check that it is consistent."""
        seen = self.run_successfully("warnings", "--json")
        assert seen.json["warnings"] == [], seen
        assert asyncio.run(repair(self.host)) == ()
        self.check()

    def check(self) -> None:
        """Check the invariants of both agents, and that no worker wrote anything outside its record."""
        for name in (self.name, self.other):
            asyncio.run(invariants.check(self.host, name))
        for log in self.host.paths.operations.glob("*/worker.log"):
            assert log.read_text() == "", log


def create_hive(disk: SmallDisk, name: str, other: str) -> SmallHive:
    """Create the hive that each test gets a copy of."""
    hive = SmallHive(disk, name, other)
    hive.run_successfully("spawn", name)
    base = hive.applied.main() or ""
    commit = hive.commit("1")
    hive.run_successfully("submit", name, commit)
    hive.run_successfully("approve", "1", "--commit", commit, "--base", base)
    for number in ("2", "3", "4"):
        hive.run_successfully("submit", name, hive.commit(number))
    hive.commit("5")
    hive.run_successfully("stop", name)
    return hive
