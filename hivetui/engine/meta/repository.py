"""The meta repo: one flake with every agent of the hive, and a commit for every change of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.commands import NULL_ID, Git, git_environment
from hivetui.engine.git.environment import hardened_options
from hivetui.engine.host import files, runner
from hivetui.engine.host.host import Command, Host, Progress
from hivetui.engine.meta import flake, lock
from hivetui.engine.meta.lock import FLAKE_FILE, LOCK_FILE
from hivetui.engine.model.errors import NotFound, OperationFailed
from hivetui.engine.model.names import check
from hivetui.engine.nix import evaluation

_MAIN = "refs/heads/main"
_LAST_ID = "refs/hive/last-proposal"


async def head(host: Host) -> str | None:
    """The commit of meta's main branch, None before the first commit."""
    return objects.ref(host.paths.meta / ".git", _MAIN)


async def pinned_commits(host: Host) -> dict[str, str]:
    """The commit that every agent is pinned to in HEAD's lock file, by name."""
    commit = await head(host)
    return lock.pinned_commits(lock.read(host.paths.meta / ".git", commit)) if commit else {}


async def base_revision(host: Host, commit: str | None = None) -> str | None:
    """The revision of the base flake in the lock file of a commit of meta, by default HEAD, or None.

    It is the hash of its content where it has no revision.
    """
    commit = commit or await head(host)
    node = lock.direct_input(lock.read(host.paths.meta / ".git", commit), flake.BASE) if commit else None
    locked = node["locked"] if node else {}
    revision = locked.get("rev") or locked.get("narHash")
    return revision if isinstance(revision, str) else None


def last_id(host: Host) -> int:
    """The highest proposal id at the time of the last purge of an agent, 0 before the first one."""
    git_dir = host.paths.meta / ".git"
    blob = objects.ref(git_dir, _LAST_ID)
    text = objects.read(git_dir, blob)[1] if blob else b"0"
    if not text.strip().isdigit():
        fix = f"Inspect it with: git -C {host.paths.meta} cat-file -p {_LAST_ID}"
        raise OperationFailed(f"{_LAST_ID} of meta is not a number", repr(text[:40]), fix)
    return int(text)


@dataclass(frozen=True)
class MetaCommit:
    """One commit of meta."""

    commit: str
    committed_at: datetime
    message: str


async def log(host: Host, limit: int = 1000) -> tuple[MetaCommit, ...]:
    """The last commits of meta, newest first."""
    if await head(host) is None:
        return ()
    arguments = ("log", "-z", f"--max-count={limit}", "--format=%H %ct %B", _MAIN)
    completed = await Git(host, host.paths.meta).run(*arguments, keep=16 << 20)
    return tuple(_parse_log_entry(entry) for entry in completed.text.split("\0") if entry.strip())


def _parse_log_entry(entry: str) -> MetaCommit:
    commit, seconds, message = entry.split(" ", 2)
    return MetaCommit(commit, datetime.fromtimestamp(int(seconds), UTC), message.rstrip("\n"))


async def sync(host: Host, progress: Progress, agents: Sequence[str], commits: Mapping[str, str] | None = None) -> str:
    """Make meta contain exactly these agents; its HEAD. Commits only if something changed.

    A new agent is locked at its commit in `commits`, else at applied main. The others keep their lock.
    """
    await _require_repo(host)
    now, content = await pinned_commits(host), flake.render_for(host, agents)
    wanted = {name: (commits or {}).get(name) or _main_of(host, name) for name in agents if name not in now}
    if not wanted and content == await _text(host, FLAKE_FILE):
        return await _head(host)
    return await _change(host, progress, content, wanted, _sync_message(agents, now, wanted))


def _main_of(host: Host, name: str) -> str:
    commit = AppliedRepo(host, name).main()
    if commit is None:
        raise NotFound(f"Agent {name} has no applied repo", f"{host.paths.applied_git(name)} has no main", "")
    return commit


def _sync_message(agents: Collection[str], now: Mapping[str, str], added: Mapping[str, str]) -> str:
    """The message of a sync: the agents added, at which commits, and the agents removed."""
    came = [f"Add {name} at {commit}" for name, commit in sorted(added.items())]
    went = [f"Remove {name}, pinned to {now[name]}" for name in sorted(set(now) - set(agents))]
    lines = came + went or ["Follow the settings of the hive"]
    return lines[0] if len(lines) == 1 else "\n".join(["Agents come and go", "", *lines])


async def pin(host: Host, progress: Progress, name: str, commit: str, message: str) -> str:
    """Lock the input of one agent at exactly this commit of its applied repo; meta's HEAD.

    No branch needs to be at it. Commits with `message`, and only if the lock changes.
    """
    now = await pinned_commits(host)
    if check(name) not in now:
        raise NotFound(f"Agent {name} is not in meta", "its flake has no such input", f"hivetui rebuild {name}")
    if now[name] == commit:
        return await _head(host)
    return await _change(host, progress, await _text(host, FLAKE_FILE), {name: commit}, message)


async def require_base(host: Host) -> str:
    """The revision of the base flake; NotFound before the first agent."""
    revision = await base_revision(host)
    if revision is None:
        fix = "Spawn an agent first: hivetui spawn NAME"
        raise NotFound("There is no base flake to update yet", "It is locked with the first agent.", fix)
    return revision


async def update_base(host: Host, revision: str | None, reason: str) -> None:
    """Lock the base flake at its newest revision, or at this one, and build nothing; commits only if that changes it.

    `reason` ends the message of the commit. NotFound before the first agent, BadData for an impossible revision.
    """
    before = await require_base(host)
    content = flake.render_for(host, tuple(await pinned_commits(host)))
    url = None if revision is None else flake.base_url(host, revision)
    locked = await lock.update_base(host, content, await _text(host, LOCK_FILE), url)
    if locked == await _text(host, LOCK_FILE) and content == await _text(host, FLAKE_FILE):
        return
    await _commit(host, content, locked, f"Update the base flake\n\nIt was at {before}. {reason}")


async def remember_last_id(host: Host, number: int) -> None:
    """Record the highest proposal id, before the tags that have it are purged with their agent.

    It is a blob under a ref of its own: that needs no commit, and a hive can have ids before meta's first commit.
    """
    if number <= last_id(host):
        return
    await _require_repo(host)
    git = Git(host, host.paths.meta)
    blob = (await git.run("hash-object", "-w", "--stdin", stdin=b"%d\n" % number)).text.strip()
    await git.compare_and_swap(_LAST_ID, blob, objects.ref(git.git_dir, _LAST_ID) or NULL_ID)


async def restore_work_tree(host: Host) -> bool:
    """Restore the work tree to HEAD and remove what a crash left in it; whether that changed anything."""
    if not (host.paths.meta / ".git").is_dir():
        return False
    git = Git(host, host.paths.meta)
    locks = git.remove_stale_locks()
    if await head(host) is None:
        return _remove_uncommitted(host.paths.meta) or bool(locks)
    changed = (await git.run("status", "--porcelain", "-z", "--ignored")).stdout != b""
    if changed:
        await git.run("reset", "--hard", "--quiet", "HEAD")
        await git.run("clean", "-ffdxq")
    return changed or bool(locks)


def _remove_uncommitted(folder: Path) -> bool:
    """Remove what a kill left of the first commit. Without git, since the repo itself may be partial."""
    leftovers = [folder / name for name in (FLAKE_FILE, LOCK_FILE, ".git/index") if (folder / name).exists()]
    leftovers += folder.glob(".*.tmp")
    for path in leftovers:
        files.remove(path)
    return bool(leftovers)


async def _require_repo(host: Host) -> None:
    """Create the repo, or complete one without a commit: a kill may have left it partial, and init is repeatable."""
    folder = host.paths.meta
    if await head(host) is not None:
        return
    files.make_directory(folder)
    argv = (*host.tools.git, *hardened_options(), "init", "--quiet", "--initial-branch=main", "--", str(folder))
    await runner.run_checked(host, Command(argv, cwd=folder, env=git_environment(host), timeout=60.0))


async def _change(host: Host, progress: Progress, content: bytes, commits: Mapping[str, str], message: str) -> str:
    """Lock a flake.nix with these agents at these commits, and commit both files; meta's HEAD."""
    for name, commit in commits.items():
        progress.say(f"locking {name} at {commit}")
        await evaluation.inspect(host, name, commit)
    locked = await lock.update(host, content, await _text(host, LOCK_FILE), commits)
    return await _commit(host, content, locked, message)


async def _commit(host: Host, content: bytes, locked: bytes, message: str) -> str:
    """Commit both files; meta's HEAD."""
    files.replace(host.paths.meta / FLAKE_FILE, content)
    files.replace(host.paths.meta / LOCK_FILE, locked)
    git = Git(host, host.paths.meta)
    await git.run("add", "--", FLAKE_FILE, LOCK_FILE)
    await git.run("commit", "--quiet", "--no-verify", "--cleanup=verbatim", "--file=-", stdin=message.encode())
    return await _head(host)


async def _text(host: Host, name: str) -> bytes:
    """The content of a file of HEAD, empty when there is no such file."""
    commit = await head(host)
    return objects.file_at(host.paths.meta / ".git", commit, name) if commit else b""


async def _head(host: Host) -> str:
    commit = await head(host)
    if commit is None:
        raise OperationFailed("The meta repo has no commit", f"{host.paths.meta} is empty", "")
    return commit
