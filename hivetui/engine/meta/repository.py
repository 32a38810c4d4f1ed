"""The meta repo: one flake that wires every agent into a system. Its HEAD resolves each to the commit that is deployed.

The caller holds the lock of meta for everything here that writes. nix computes a new lock in a private copy of the two
files; only when it is whole are they replaced and committed, so that what fails leaves the repo as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.commands import NOTHING, Git, git_environment, is_hash
from hivetui.engine.git.environment import hardened_options
from hivetui.engine.host import files, runner, scratch
from hivetui.engine.host.host import Command, Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadConfiguration, BadData, NotFound, OperationFailed
from hivetui.engine.model.names import MANAGER, check, port_of
from hivetui.engine.nix import nix

BASE = "hyperhive"
"""The input that is the base flake."""

_MAIN = "refs/heads/main"
_LAST_ID = "refs/hive/last-proposal"
_FLAKE, _LOCK = "flake.nix", "flake.lock"
_PREFIX = "agent-"
_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f]")


# The flake


def render(flake: str, dashboard_port: int, agents: Collection[str], paths: Paths) -> bytes:
    """`flake.nix` of meta for these agents on the base flake `flake`: the same bytes for the same input, in any order.

    BadConfiguration for a base flake that is no flake reference.
    """
    agents = sorted({check(name) for name in agents})
    inputs = {BASE: _base_url(flake)} | {_PREFIX + name: nix.input_url(paths, name) for name in agents}
    lines = [f"    {quoted(name)}.url = {quoted(url)};" for name, url in inputs.items()]
    systems = [line for name in agents for line in _system(name, dashboard_port)]
    return _TEMPLATE.replace("@INPUTS@", "\n".join(lines)).replace("@SYSTEMS@", "".join(systems)).encode()


_TEMPLATE = """\
# Written by the engine from the list of agents; what is changed here by hand is put back.
{
  description = "The agents of this hive";

  inputs = {
@INPUTS@
  };

  outputs = inputs:
    let
      bases = inputs.hyperhive.nixosConfigurations;
      # An agent's identity reaches its shells by the first and its services by the second option.
      wrapper = identity: {
        environment.variables = identity;
        systemd.globalEnvironment = identity;
      };
      agent = base: source: identity:
        base.extendModules { modules = [ source.nixosModules.default (wrapper identity) ]; };
    in
    {
      nixosConfigurations = {
@SYSTEMS@      };
    };
}
"""


def _system(name: str, dashboard_port: int) -> list[str]:
    base_revision = "manager" if name == MANAGER else "agent-base"
    values = [f"          {key} = {quoted(value)};\n" for key, value in identity(name, dashboard_port).items()]
    head = f"        {quoted(name)} = agent bases.{base_revision} inputs.{quoted(_PREFIX + name)} {{\n"
    return [head, *values, "        };\n"]


def identity(name: str, dashboard_port: int) -> dict[str, str]:
    """The environment that tells an agent who it is."""
    mail = f"{name}@hyperhive"
    return {
        "HIVE_PORT": str(port_of(name)),
        "HIVE_LABEL": name,
        "HIVE_DASHBOARD_PORT": str(dashboard_port),
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }


def quoted(text: str) -> str:
    """A string of the Nix language, without a newline or another control character (Nix manual, String literals)."""
    if _NOT_PLAIN.search(text):
        raise BadData(f"{text[:60]!r} cannot be written into a flake", "it has control characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _base_url(flake: str) -> str:
    """The base flake as an input: a folder of this host becomes a git repo's reference, as nix itself reads it."""
    if not flake or _NOT_PLAIN.search(flake) or " " in flake:
        raise _no_base(f"{flake[:80]!r} is no flake reference")
    return nix.flake_url(Path(flake)) if flake.startswith("/") else flake


def _no_base(why: str) -> BadConfiguration:
    fix = 'Name it in /etc/hivetui/config.toml:\n[hive]\nflake = "github:OWNER/hyperhive"'
    return BadConfiguration("The base flake of the hive is not known", why, fix)


def _rendered(host: Host, agents: Collection[str]) -> bytes:
    flake = host.settings.hive.flake
    if flake is None:
        raise _no_base("the setting hive.flake is missing")
    return render(flake, host.settings.hive.dashboard_port, agents, host.paths)


# Reading, without a process


async def head(host: Host) -> str | None:
    """The commit of meta's HEAD, None when there is none yet."""
    return objects.ref(host.paths.meta / ".git", _MAIN)


async def pinned_commits(host: Host) -> dict[str, str]:
    """Every agent in HEAD's lock with the commit that it is pinned to."""
    commit = await head(host)
    return _pinned(_lock_at(host.paths.meta / ".git", commit)) if commit else {}


async def base_revision(host: Host) -> str | None:
    """The revision of the base flake in HEAD's lock (its content's hash, where it is in no repo); None without."""
    commit = await head(host)
    node = _node(_lock_at(host.paths.meta / ".git", commit), BASE) if commit else None
    locked = node["locked"] if node else {}
    found = locked.get("rev") or locked.get("narHash")
    return found if isinstance(found, str) else None


def _pinned(lock: dict[str, Any]) -> dict[str, str]:
    inputs = lock["nodes"][lock["root"]].get("inputs", {})
    names = sorted(key.removeprefix(_PREFIX) for key in inputs if key.startswith(_PREFIX))
    return {name: node["locked"]["rev"] for name in names if (node := _node(lock, _PREFIX + name))}


def _node(lock: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The node of a direct input."""
    key = lock["nodes"][lock["root"]].get("inputs", {}).get(name)
    return lock["nodes"][key] if isinstance(key, str) else None


def _lock_at(git_dir: Path, commit: str) -> dict[str, Any]:
    """The lock file of a commit of meta; OperationFailed when it cannot be read."""
    text = objects.file_at(git_dir, commit, _LOCK)
    try:
        lock: dict[str, Any] = json.loads(text)
        lock["nodes"][lock["root"]]
    except (ValueError, LookupError, TypeError) as error:
        fix = f"Look at it with: git -C {git_dir.parent} log -p -- {_LOCK}"
        raise OperationFailed(f"The lock of meta at {commit} cannot be read", str(error), fix) from error
    return lock


def last_id(host: Host) -> int:
    """The highest id that any proposal had when an agent was purged last, 0 before the first purge."""
    git_dir = host.paths.meta / ".git"
    blob = objects.ref(git_dir, _LAST_ID)
    text = objects.read(git_dir, blob)[1] if blob else b"0"
    if not text.strip().isdigit():
        fix = f"Look at it with: git -C {host.paths.meta} cat-file -p {_LAST_ID}"
        raise OperationFailed(f"{_LAST_ID} of meta is no number", repr(text[:40]), fix)
    return int(text)


@dataclass(frozen=True)
class Logged:
    """One commit of meta."""

    commit: str
    committed_at: datetime
    message: str


async def log(host: Host, limit: int = 1000) -> tuple[Logged, ...]:
    """The last commits of meta, newest first."""
    if await head(host) is None:
        return ()
    arguments = ("log", "-z", f"--max-count={limit}", "--format=%H %ct %B", _MAIN)
    completed = await Git(host, host.paths.meta).run(*arguments, keep=16 << 20)
    return tuple(_logged(entry) for entry in completed.text.split("\0") if entry.strip())


def _logged(entry: str) -> Logged:
    commit, seconds, message = entry.split(" ", 2)
    return Logged(commit, datetime.fromtimestamp(int(seconds), UTC), message.rstrip("\n"))


# Writing


async def sync(host: Host, progress: Progress, agents: Sequence[str], commits: Mapping[str, str] | None = None) -> str:
    """Make meta have exactly these agents; its HEAD. Commits only if something changed.

    A new agent is locked at its commit in `commits`, else at applied main. Those that are there keep their lock.
    """
    await _make(host)
    now, flake = await pinned_commits(host), _rendered(host, agents)
    wanted = {name: (commits or {}).get(name) or _main_of(host, name) for name in agents if name not in now}
    if not wanted and flake == await _text(host, _FLAKE):
        return await _head(host)
    return await _change(host, progress, flake, wanted, _told(agents, now, wanted))


def _main_of(host: Host, name: str) -> str:
    found = AppliedRepo(host, name).main()
    if found is None:
        raise NotFound(f"Agent {name} has no applied repo", f"{host.paths.applied_git(name)} has no main", "")
    return found


def _told(agents: Collection[str], now: Mapping[str, str], added: Mapping[str, str]) -> str:
    """The message of a sync: who came, at which commit, and who went."""
    came = [f"Add {name} at {commit}" for name, commit in sorted(added.items())]
    went = [f"Remove {name}, pinned to {now[name]}" for name in sorted(set(now) - set(agents))]
    lines = came + went or ["Follow the settings of the hive"]
    return lines[0] if len(lines) == 1 else "\n".join(["Agents come and go", "", *lines])


async def pin(host: Host, progress: Progress, name: str, commit: str, message: str) -> str:
    """Lock the input of one agent at exactly this commit of its applied repo; meta's HEAD.

    Whether a branch is there does not matter. Commits with `message` only if the lock was another.
    """
    now = await pinned_commits(host)
    if check(name) not in now:
        raise NotFound(f"Agent {name} is not in meta", "it has no entry in its flake", f"hivetui rebuild {name}")
    if now[name] == commit:
        return await _head(host)
    return await _change(host, progress, await _text(host, _FLAKE), {name: commit}, message)


async def remember_last_id(host: Host, number: int) -> None:
    """Keep how far the ids have come, for when the tags that tell it are wiped with their agent.

    It is a blob under a ref of its own: that needs no commit, and a hive can have ids before meta has its first.
    """
    if number <= last_id(host):
        return
    await _make(host)
    git = Git(host, host.paths.meta)
    blob = (await git.run("hash-object", "-w", "--stdin", stdin=b"%d\n" % number)).text.strip()
    await git.compare_and_swap(_LAST_ID, blob, objects.ref(git.git_dir, _LAST_ID) or NOTHING)


async def restore_work_tree(host: Host) -> bool:
    """Put a changed work tree back to HEAD, also what a crash left in it; whether there was something."""
    if not (host.paths.meta / ".git").is_dir():
        return False
    git = Git(host, host.paths.meta)
    locks = git.remove_stale_locks()
    if await head(host) is None:
        return _emptied(host.paths.meta) or bool(locks)
    changed = (await git.run("status", "--porcelain", "-z", "--ignored")).stdout != b""
    if changed:
        await git.run("reset", "--hard", "--quiet", "HEAD")
        await git.run("clean", "-ffdxq")
    return changed or bool(locks)


def _emptied(folder: Path) -> bool:
    """Remove what a kill left of the first commit. Without git: the repo itself may be half made."""
    left = [folder / name for name in (_FLAKE, _LOCK, ".git/index") if (folder / name).exists()]
    left += folder.glob(".*.tmp")
    for path in left:
        files.remove(path)
    return bool(left)


async def _make(host: Host) -> None:
    """The repo itself, while it has no commit: a kill may have left half of it, which another init makes whole."""
    folder = host.paths.meta
    if await head(host) is not None:
        return
    files.make_directory(folder)
    argv = (*host.tools.git, *hardened_options(), "init", "--quiet", "--initial-branch=main", "--", str(folder))
    await runner.run_checked(host, Command(argv, cwd=folder, env=git_environment(host), timeout=60.0))


async def _change(host: Host, progress: Progress, flake: bytes, commits: Mapping[str, str], message: str) -> str:
    """Lock `flake` with these agents at these commits, and commit both files; meta's HEAD."""
    for name, commit in commits.items():
        progress.say(f"locking {name} at {commit}")
        await nix.inspect(host, name, commit)
    lock = await _locked(host, flake, commits)
    files.replace(host.paths.meta / _FLAKE, flake)
    files.replace(host.paths.meta / _LOCK, lock)
    git = Git(host, host.paths.meta)
    await git.run("add", "--", _FLAKE, _LOCK)
    await git.run("commit", "--quiet", "--no-verify", "--cleanup=verbatim", "--file=-", stdin=message.encode())
    return await _head(host)


async def _locked(host: Host, flake: bytes, commits: Mapping[str, str]) -> bytes:
    """The lock file of `flake`: as HEAD has it, and these agents at these commits.

    nix takes another commit of an input for this time only, with `original` naming it. A lock holds it only while
    `original` is what flake.nix says; so that is written here, the same for every version of nix.
    """
    old = await _text(host, _LOCK)
    with scratch.scratch_directory(host.paths) as folder:
        folder.chmod(0o755)  # nix reads it as another user
        files.replace(folder / _FLAKE, flake)
        if old:
            files.replace(folder / _LOCK, nix.without_agents(old, [_PREFIX + name for name in commits]))
        found = await nix.metadata(host, f"path:{folder}", "--no-write-lock-file", *_overrides(host, commits))
    lock = found["locks"]
    for name, commit in commits.items():
        _settle(lock, host.paths, name, commit)
    return (json.dumps(lock, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _overrides(host: Host, commits: Mapping[str, str]) -> list[str]:
    pairs = [(_PREFIX + name, nix.candidate_url(host.paths, name, commit)) for name, commit in sorted(commits.items())]
    return [word for name, url in pairs for word in ("--override-input", name, url)]


def _settle(lock: dict[str, Any], paths: Paths, name: str, commit: str) -> None:
    """Make a node say that it is what flake.nix asks for; OperationFailed unless it is locked at this commit."""
    node = _node(lock, _PREFIX + name)
    if node is None or not is_hash(commit) or node.get("locked", {}).get("rev") != commit:
        raise OperationFailed(f"nix did not lock {name} at {commit}", json.dumps(node)[:300])
    url, _, _ = nix.input_url(paths, name).removeprefix("git+").partition("?")
    node["original"] = {"ref": "main", "type": "git", "url": url}


async def _text(host: Host, name: str) -> bytes:
    """A file of HEAD, nothing when it is not there."""
    commit = await head(host)
    return objects.file_at(host.paths.meta / ".git", commit, name) if commit else b""


async def _head(host: Host) -> str:
    found = await head(host)
    if found is None:
        raise OperationFailed("The meta repo has no commit", f"{host.paths.meta} is empty", "")
    return found
