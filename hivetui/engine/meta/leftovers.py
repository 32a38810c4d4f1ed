"""What a crash can leave in the meta repo: a half-done change, stale lock files, agents that have no container."""

from __future__ import annotations

from pathlib import Path

from hivetui.engine.git.commands import Git
from hivetui.engine.host import files
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import OperationFailed


async def is_dirty(host: Host) -> bool:
    """Whether the work tree differs from HEAD, or a lock file is left. Changes nothing and takes no lock."""
    git_dir = host.paths.meta / ".git"
    if not git_dir.is_dir():
        return False
    git = Git(host, host.paths.meta)
    if _stale_locks(git):
        return True
    if await repository.head(host) is None:  # killed before the first commit
        files_left = any((host.paths.meta / name).exists() for name in ("flake.nix", "flake.lock", ".git/index"))
        return files_left or any(host.paths.meta.glob(".*.tmp"))
    status = await git.run("status", "--porcelain", "-z", "--ignored", env={"GIT_OPTIONAL_LOCKS": "0"})
    return status.stdout != b""


async def restore(host: Host) -> None:
    """Restore the work tree to HEAD and remove the lock files; the caller holds the lock of meta."""
    for path in _stale_locks(Git(host, host.paths.meta)):
        files.remove(path)
    await repository.restore_work_tree(host)


async def agents_without_container(host: Host) -> tuple[str, ...]:
    """The agents in HEAD's lock file that have no container, sorted."""
    return tuple(name for name in sorted(await repository.pinned_commits(host)) if not host.paths.conf(name).exists())


async def remove_agent(host: Host, progress: Progress, name: str) -> None:
    """Remove an agent from meta; the caller holds the lock of meta. OperationFailed while its work tree is dirty."""
    if await is_dirty(host):
        why = "A change of it was interrupted, and what that left has not been restored."
        raise OperationFailed("The work tree of meta differs from its last commit", why, "hivetui repair")
    await repository.sync(host, progress, sorted(set(await repository.pinned_commits(host)) - {name}))


def _stale_locks(git: Git) -> set[Path]:
    """The lock files that only the holder of meta's lock creates, and any other that no living git can have made.

    A spawn request creates and removes tags without meta's lock: a lock of a tag or of packed-refs may be in use.
    """
    locks = [*git.git_dir.glob("*.lock"), *(git.git_dir / "refs").rglob("*.lock")]
    heads = git.git_dir / "refs/heads"
    owned = {
        path
        for path in locks
        if path.name != "packed-refs.lock" and (path.parent == git.git_dir or heads in path.parents)
    }
    return owned if len(owned) == len(locks) else owned.union(git.stale_locks())
