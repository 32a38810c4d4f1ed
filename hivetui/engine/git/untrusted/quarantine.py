"""Imports one commit of a proposed repo into applied: inspect, fetch into a quarantine, check the limits, then keep.

The quarantine is a temporary repo beside applied with applied's objects as alternate. A refused commit is deleted with
it; an accepted one is a pack that is moved to applied. The proposed repo is served from a jail where one can be made.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from hivetui.engine.git.commands import Git, is_hash
from hivetui.engine.git.untrusted import configuration, inspection, jail, object_names, reading, tree_limits
from hivetui.engine.host import files, programs, runner, temp_dirs
from hivetui.engine.host.files import translate_os_errors
from hivetui.engine.host.host import Completed, Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData, CannotCreate, HiveError, TryAgain, Unavailable
from hivetui.engine.model.names import check

PREFIX = ".incoming-"
"""Prefix of the directories of quarantines, beside the applied repo."""
TIMEOUT = 60.0

_SERVER = "serve.git"
_PARTIAL_PACK_AGE = 600.0  # seconds
_FETCH = (
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
    "--refmap=",
    "--atomic",
)
_CLIENT = (
    "core.bigFileThreshold=1m",  # git checks larger files as a stream, without loading them
    "core.alternateRefsPrefixes=refs/heads/main",
    "pack.threads=1",
    "index.threads=1",
)


async def import_commit(host: Host, name: str, commit: str, git_dir: Path, known: Iterable[str]) -> None:
    """Import `commit` (full hash) of the proposed repo of `name` into the bare repo `git_dir`, without any ref.

    `known` are the hashes in the refs of `git_dir`. BadData, without a trace, when it is missing, not a commit, exceeds
    a limit, or the repo fails the inspection.
    """
    if not is_hash(commit):
        raise BadData(f"{commit[:60]!r} is not a full hash", "a commit is named by forty hexadecimal digits")
    inspected = inspection.inspect(host, check(name))
    await configuration.check(host, name)
    with (
        translate_os_errors(f"{git_dir.parent} could not be written"),
        temp_dirs.temporary_directory(git_dir.parent, PREFIX) as directory,
    ):
        git = await _quarantine(host, directory, git_dir)
        await _fetch(git, directory, name, commit, inspected.private)
        await tree_limits.check(git, commit, known, directory)
        _keep(git.git_dir, git_dir)


async def _quarantine(host: Host, directory: Path, git_dir: Path) -> Git:
    git = Git(host, directory / "objects.git")
    git.git_dir.mkdir()
    await git.run("init", "--quiet", "--bare", "--shared=0644")
    (git.git_dir / "objects/info").mkdir(exist_ok=True)
    (git.git_dir / "objects/info/alternates").write_text(f"{git_dir / 'objects'}\n")
    return git


async def probe(host: Host, read_all: bool = False) -> None:
    """Fetch a commit as from a proposed repo, with the same tools, to find out whether this host can.

    Unavailable, with the reason, if not. `read_all` is for repos with files that are not for every user.
    """
    with (
        translate_os_errors("The temporary repo of a check could not be written"),
        tempfile.TemporaryDirectory(prefix="hivetui-jail-") as name,
    ):
        host = replace(host, paths=Paths(Path(name)))
        proposed, target = Git(host, host.paths.proposed("probe")), host.paths.applied_git("probe")
        for directory in (proposed.folder, target / "objects"):
            directory.mkdir(parents=True)
        await proposed.run("init", "--quiet")
        await proposed.run("commit", "--quiet", "--allow-empty", "-m", "A probe")
        git = await _quarantine(host, Path(name), target)
        completed = await _run_fetch(git, Path(name), "probe", await proposed.resolve("HEAD") or "", read_all)
    if completed.status or completed.timed_out:
        jailed = "from a jail " if jail.is_used(host) else ""
        failure = runner.command_failed(completed)
        why = failure.why or failure.what
        fix = (
            jail.FIX
            if _is_program(host)
            else "Set HYPERHIVE_GIT to the git that this script starts, by its whole path."
        )
        raise Unavailable(f"git cannot fetch {jailed}on this host", f"{_describe_git(host)}: {why}", fix)


def _is_program(host: Host) -> bool:
    """Whether git is a program itself, and not a script that may start one elsewhere, or cannot be read."""
    found = programs.find(host, host.tools.git)
    try:
        with Path(found or host.tools.git[0]).open("rb") as file:
            return file.read(2) != b"#!"
    except OSError:
        return True


def _describe_git(host: Host) -> str:
    """The git that would run, with what it is a link to: a script may need files that the jail does not have."""
    found = programs.find(host, host.tools.git) or host.tools.git[0]
    target = str(Path(found).resolve())
    return found if target == found else f"{found} (a link to {target})"


async def _fetch(git: Git, directory: Path, name: str, commit: str, read_all: bool) -> None:
    completed = await _run_fetch(git, directory, name, commit, read_all)
    if completed.status or completed.timed_out:
        raise await _refusal(git, completed, name, commit, read_all)


async def _run_fetch(git: Git, directory: Path, name: str, commit: str, read_all: bool) -> Completed:
    source, upload_pack = _source(git.host, directory, name, read_all)
    settings = tuple(part for setting in _CLIENT for part in ("-c", setting))
    words = ("fetch", f"--upload-pack={upload_pack}", *_FETCH, "--", source, f"{commit}:refs/incoming/object")
    command = git.command(*words, timeout=TIMEOUT)
    argv = (*git.host.tools.git, *settings, *command.argv[len(git.host.tools.git) :])
    return await git.host.runner.run(replace(command, argv=jail.limited(argv)))


def _source(host: Host, directory: Path, name: str, read_all: bool) -> tuple[str, str]:
    """The address to fetch from, and the program that serves it."""
    server = directory / _SERVER
    if jail.is_used(host):
        jail.make_server(server, "/objects")
        return "/serve.git", jail.upload_pack(jail.tools(host), server, host.paths.agents, name, read_all)
    jail.make_server(server, str(host.paths.proposed(name) / ".git/objects"))
    programs.require(host, (host.tools.git,))
    return str(server), jail.plain_upload_pack(host.tools.git)


async def _refusal(git: Git, completed: Completed, name: str, commit: str, read_all: bool) -> HiveError:
    """The error for a fetch that failed, by what can be seen: its end, the repo, the disk, a fetch that must work."""
    failure = runner.command_failed(completed)
    why, short = failure.why or failure.what, commit[:12]
    if completed.timed_out:
        slow = f"it took longer than {TIMEOUT:g} seconds"
        fix = "Try again when the host is less busy; git gc in the container makes it quicker."
        return TryAgain(f"{short} of the proposed repo of {name} could not be imported", slow, fix)
    if _is_missing(git.host, name, commit):
        return BadData(
            f"{commit} does not exist in the proposed repo of {name}",
            "git did not find it there",
            f"Commit it in /agents/{name}/config and submit again. If git log shows it there, run git fsck.",
        )
    if _is_too_large(git):
        limit = f"a pack of more than {jail.LARGEST_FILE >> 20} MiB would be needed"
        fix = "Propose a commit without large files, also in the commits before it."
        return BadData(f"{short} of the proposed repo of {name} is too large", limit, fix)
    if (disk_full := _write_refusal(git, why)) is not None:
        return CannotCreate(f"{short} could not be imported", why, files.fix_for(disk_full))
    if (killed := jail.killing_signal(git.git_dir.with_name(_SERVER)) or -completed.status) > 0:
        return _killed(f"{short} of the proposed repo of {name} could not be imported", killed)
    try:
        await probe(git.host, read_all)
    except Unavailable as unavailable:
        return unavailable
    fix = f"Run git fsck in /agents/{name}/config: every object that the commit needs must be there and be sound."
    # Git pads what the other side said with blanks and ends it with a NUL, and tells of a damaged pack four times.
    lines = dict.fromkeys(line.rstrip("\0 \t\r") for line in why.split("\n"))
    return BadData(f"{short} of the proposed repo of {name} was refused", "\n".join(lines), fix)


def _killed(what: str, number: int) -> TryAgain:
    """The error for a git that a signal ended; the kernel sends SIGKILL when memory or processor time runs out."""
    why = f"git was killed by {runner.describe_signal(number)} while it packed the commit"
    limit = f"or packing it takes more than {jail.CPU_SECONDS} seconds; git gc in the container makes it quicker"
    return TryAgain(what, why, f"Try again. If it happens again, the host is short of memory (journalctl -k), {limit}.")


def _write_refusal(git: Git, why: str) -> OSError | None:
    """Why nothing can be written, by trying; a message alone, which may quote what is proposed, is no proof.

    A git that filled the disk has freed it again when it ends, so that only the space for a large pack is missing.
    """
    local_lines = "\n".join(line for line in why.splitlines() if not line.startswith("remote:"))
    named = files.disk_full_error(local_lines)
    if named is not None and files.lacks_room(git.git_dir, jail.LARGEST_FILE):
        return named
    return files.write_refusal("", git.git_dir)


def _is_missing(host: Host, name: str, commit: str) -> bool:
    with reading.open_directory(host.paths.agents) as agents, agents.inside(name, "config", ".git") as proposed:
        return object_names.is_missing(proposed, commit)


def _is_too_large(git: Git) -> bool:
    """Whether git was ended while it wrote a pack, which then has exactly the largest size that is allowed."""
    partial = (git.git_dir / "objects/pack").glob("tmp_pack_*")
    return any(path.stat().st_size >= jail.LARGEST_FILE for path in partial)


def _keep(quarantine: Path, git_dir: Path) -> None:
    """Move the packs to `git_dir`, each after its index, so that neither git nor dulwich reads a partial pack."""
    source, target = quarantine / "objects/pack", git_dir / "objects/pack"
    packs = sorted(source.glob("pack-*"), key=lambda path: path.suffix == ".pack")
    with temp_dirs.directory_lock(target):
        _remove_partial_packs(target)
        for path in packs:
            if path.suffix != ".keep":
                files.sync(path)
                path.replace(target / path.name)
        files.sync(target)


def _remove_partial_packs(packs: Path) -> None:
    """Remove the files of a pack whose move was killed; a recent one may belong to a repack that is running."""
    for path in packs.glob("pack-*"):
        if not path.with_suffix(".pack").exists() and time.time() - path.stat().st_mtime > _PARTIAL_PACK_AGE:
            path.unlink()
