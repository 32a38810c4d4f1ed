"""Runs git in a repo that the engine created (applied, meta), without the configuration of the host or the user.

Never in proposed, whose configuration could run programs. Each write is a compare-and-swap of one ref, since a
transaction over several refs is not atomic when git is killed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from hivetui.engine.git.environment import ENGINE_MAIL, ENGINE_NAME, hardened_environment, hardened_options, identity
from hivetui.engine.host import files, procfs, runner
from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.model.errors import BadData, HiveError
from hivetui.engine.model.text import to_bytes

NULL_ID = "0" * 40
"""The old value of a ref that must not exist yet (git-update-ref(1))."""

_HASH = re.compile(r"[0-9a-f]{40}", re.ASCII)
_TAG = re.compile(r"[a-z][a-z-]*(/[A-Za-z0-9_-]+)+", re.ASCII)
_WRITES = (
    *("init", "add", "commit", "config", "remote", "hash-object", "mktag", "update-ref", "symbolic-ref"),
    *("reset", "clean", "read-tree"),
)
_STALE_MARGIN = 2.0  # seconds that clocks and file times may disagree by


def is_hash(text: str) -> bool:
    """Whether `text` is a full object name: forty lower-case hexadecimal digits and nothing else."""
    return _HASH.fullmatch(text) is not None


def git_environment(host: Host) -> dict[str, str]:
    """The whole environment of a git of the engine: hardened, with the engine's identity and the host's clock."""
    seconds = int(host.clock().timestamp())
    return hardened_environment(host.environment) | identity(ENGINE_NAME, ENGINE_MAIL, seconds)


class Git:
    """Git in one repo of the engine: `folder` is bare when its name ends in `.git`, else a work tree with `.git`."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.bare = folder.name.endswith(".git")
        self.folder = folder
        self.git_dir = folder if self.bare else folder / ".git"

    def command(
        self,
        *args: str,
        stdin: bytes = b"",
        timeout: float | None = 60.0,
        env: Mapping[str, str] | None = None,
        keep: int = 1 << 20,
    ) -> Command:
        """The command that runs `git args` here; `env` is added to the clean environment, `timeout` is seconds."""
        location = (
            (f"--git-dir={self.git_dir}",) if self.bare else (f"--git-dir={self.git_dir}", f"--work-tree={self.folder}")
        )
        argv = (*self.host.tools.git, *hardened_options(), *location, *args)
        environment = git_environment(self.host) | dict(env or {})
        return Command(argv, cwd=self.folder, env=environment, stdin=stdin, timeout=timeout, keep=keep)

    async def run(
        self,
        *args: str,
        stdin: bytes = b"",
        timeout: float = 60.0,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        keep: int = 1 << 20,
    ) -> Completed:
        """Run `git args` here; CommandFailed unless it ends with 0 (when `check`), CannotCreate on a full disk."""
        command = self.command(*args, stdin=stdin, timeout=timeout, env=env, keep=keep)
        completed = await self.host.runner.run(command)
        if check and (completed.status or completed.timed_out):
            raise self._failed(completed, args[0])
        return completed

    async def resolve(self, revision: str) -> str | None:
        """The full hash of what `revision` names, or None when it names nothing."""
        if revision.startswith("-") or "\0" in revision:
            return None
        completed = await self.run("rev-parse", "--verify", "--quiet", revision, check=False)
        commit = completed.text.strip()
        return commit if completed.status == 0 and is_hash(commit) else None

    async def write_blob(self, content: bytes) -> str:
        """Write an object with this content, durably, to which nothing refers yet; its name."""
        blob = (await self.run("hash-object", "-w", "--stdin", stdin=content)).text.strip()
        self._sync_folders((self.git_dir / "objects", self.git_dir / "objects" / blob[:2]))
        return blob

    async def create_tag(self, tag: str, target: str, message: str) -> bool:
        """Create an annotated tag on the commit `target` (full hash); False, without a change, when `tag` exists."""
        if not _TAG.fullmatch(tag) or not is_hash(target) or "\0" in message:
            raise BadData(f"{tag[:60]!r} cannot be created on {target[:60]!r}", "it is not a tag of the engine")
        now = int(self.host.clock().timestamp())
        header = f"object {target}\ntype commit\ntag {tag}\ntagger {ENGINE_NAME} <{ENGINE_MAIL}> {now} +0000\n\n"
        body = to_bytes(header + message.rstrip("\n") + "\n")
        tag_object = (await self.run("mktag", stdin=body)).text.strip()
        return await self.compare_and_swap(f"refs/tags/{tag}", tag_object, NULL_ID)

    async def compare_and_swap(self, ref: str, new: str, old: str) -> bool:
        """Move `ref` from `old` to `new` (`NULL_ID` as `old` creates it); False when it was not at `old`."""
        completed = await self.run("update-ref", "--no-deref", ref, new, old, check=False)
        if completed.status == 0 and not completed.timed_out:
            self._sync(ref, new)
            return True
        return await self._explain_refused_update(ref, old, completed)

    async def delete_ref(self, ref: str, old: str) -> bool:
        """Delete `ref` if it is at `old`; False when it was elsewhere or gone."""
        completed = await self.run("update-ref", "--no-deref", "-d", ref, old, check=False)
        if completed.status == 0 and not completed.timed_out:
            self._sync(ref)
            return True
        return await self._explain_refused_update(ref, old, completed)

    async def _explain_refused_update(self, ref: str, old: str, completed: Completed) -> bool:
        """Return False when `ref` is not at `old`; raise any other failure."""
        now = await self.resolve(ref) or NULL_ID
        if now != old:
            return False
        raise self._failed(completed, "update-ref")

    def _failed(self, completed: Completed, verb: str) -> HiveError:
        """The error for a git that failed. On a full disk git often reports only that it could not write."""
        error = runner.command_failed(completed)
        if verb in _WRITES:
            self._remove_partial_objects()
            if (refusal := files.write_refusal(error.why, self.git_dir)) is not None:
                return files.describe_os_error(refusal, f"{self.git_dir} could not be written")
        return error

    def _remove_partial_objects(self) -> None:
        """Remove the temporary files of objects that a git could not finish; no other git uses them."""
        partial_files = list((self.git_dir / "objects").glob("??/tmp_obj_*"))
        open_files = _open_files() if partial_files else ()  # listed afterwards, so that each open one is in it
        for path in partial_files:
            with suppress(OSError):
                if _identity(path.stat()) not in open_files:
                    path.unlink()

    def _sync(self, ref: str, value: str | None = None) -> None:
        """Sync the directories of a ref and of its loose object, since git syncs only the files."""
        folders = [self.git_dir, *(self.git_dir / parent for parent in Path(ref).parents)]
        if value:
            folders += [self.git_dir / "objects", self.git_dir / "objects" / value[:2]]
        self._sync_folders(dict.fromkeys(folders))

    def _sync_folders(self, folders: Iterable[Path]) -> None:
        with files.translate_os_errors(f"{self.git_dir} could not be synced"):
            for folder in folders:
                with suppress(FileNotFoundError):  # git removes empty directories of refs; an object may be packed
                    files.sync_directory(folder)

    def stale_locks(self) -> tuple[Path, ...]:
        """The lock files of refs, index and configuration that are older than every running git."""
        found = [(path, _age(path)) for path in self._locks()]
        oldest = _oldest_git()
        return tuple(path for path, age in found if age is not None and age > oldest + _STALE_MARGIN)

    def remove_stale_locks(self) -> tuple[Path, ...]:
        """Remove and return `stale_locks()`; the caller holds the lock of the agent or of meta."""
        stale = self.stale_locks()
        for path in stale:
            path.unlink(missing_ok=True)
        return stale

    def _locks(self) -> Iterator[Path]:
        yield from self.git_dir.glob("*.lock")
        yield from (self.git_dir / "refs").glob("**/*.lock")


def _open_files() -> frozenset[tuple[int, int]]:
    """Device and inode of every file that a process has open, as far as this user can see."""
    found = set()
    for process_folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError), os.scandir(process_folder / "fd") as entries:  # it has ended, or is another user's
            for entry in entries:
                with suppress(OSError):
                    found.add(_identity(entry.stat()))
    return frozenset(found)


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _age(path: Path) -> float | None:
    """Seconds since `path` was written, None when it is gone."""
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return None


def _oldest_git() -> float:
    """For how many seconds the longest-living git process has run; below zero when there is none."""
    ages = (process.age for process in procfs.processes().values() if process.name.startswith("git"))
    return max(ages, default=-_STALE_MARGIN)
