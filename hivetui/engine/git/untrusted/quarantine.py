"""Taking one commit of a proposed repo into applied: inspect, fetch into quarantine, walk, and only then keep.

The quarantine is a repo of its own beside applied, which borrows applied's objects. What is refused goes with it; what
is accepted is one pack that is moved over. The proposed repo itself is served from a jail where one can be made.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from hivetui.engine.git.commands import Git, is_hash
from hivetui.engine.git.untrusted import inspection, jail, tree_limits
from hivetui.engine.host import files, programs, runner, temp_dirs
from hivetui.engine.host.files import translate_os_errors
from hivetui.engine.host.host import Completed, Host
from hivetui.engine.model.errors import BadData, CannotCreate, HiveError, Unavailable
from hivetui.engine.model.names import check

PREFIX = ".incoming-"
"""How the folders of quarantines begin, beside the applied repo."""
SECONDS = 60.0

_HALF_SECONDS = 600.0
_MISSING = ("not our ref", "no such remote ref", "couldn't find remote ref")
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
    "core.bigFileThreshold=1m",  # larger files are checked as a stream, never held whole
    "core.alternateRefsPrefixes=refs/heads/main",
    "pack.threads=1",
    "index.threads=1",
)


async def import_commit(host: Host, name: str, commit: str, git_dir: Path, known: Iterable[str]) -> None:
    """Take `commit` (full hash) of the proposed repo of `name` into the bare repo `git_dir`, without any ref.

    `known` is what the refs of `git_dir` hold. BadData, and nothing is left, when it is missing, no
    commit, beyond a limit, or the repo is not plain.
    """
    if not is_hash(commit):
        raise BadData(f"{commit[:60]!r} is no full hash", "a commit is named by forty hexadecimal digits")
    found = inspection.inspect(host, check(name))
    with (
        translate_os_errors(f"{git_dir.parent} could not be written"),
        temp_dirs.temporary_directory(git_dir.parent, PREFIX) as folder,
    ):
        git = await _quarantine(host, folder, git_dir)
        await _fetch(git, folder, name, commit, found.private)
        await tree_limits.check(git, commit, known, folder)
        _keep(git.git_dir, git_dir)


async def _quarantine(host: Host, folder: Path, git_dir: Path) -> Git:
    git = Git(host, folder / "objects.git")
    git.git_dir.mkdir()
    await git.run("init", "--quiet", "--bare", "--shared=0644")
    (git.git_dir / "objects/info").mkdir(exist_ok=True)
    (git.git_dir / "objects/info/alternates").write_text(f"{git_dir / 'objects'}\n")
    return git


async def _fetch(git: Git, folder: Path, name: str, commit: str, read_all: bool) -> None:
    source, upload_pack = _source(git.host, folder, name, read_all)
    settings = tuple(part for setting in _CLIENT for part in ("-c", setting))
    words = ("fetch", f"--upload-pack={upload_pack}", *_FETCH, "--", source, f"{commit}:refs/incoming/object")
    command = git.command(*words, timeout=SECONDS)
    argv = (*git.host.tools.git, *settings, *command.argv[len(git.host.tools.git) :])
    completed = await git.host.runner.run(replace(command, argv=jail.limited(argv)))
    if completed.status or completed.timed_out:
        raise _refusal(completed, name, commit)


def _source(host: Host, folder: Path, name: str, read_all: bool) -> tuple[str, str]:
    """The address to fetch from, and the program that serves it."""
    server = folder / "serve.git"
    if jail.wanted(host):
        jail.make_server(server, "/objects")
        return "/serve.git", jail.upload_pack(jail.tools(host), server, host.paths.agents, name, read_all)
    jail.make_server(server, str(host.paths.proposed(name) / ".git/objects"))
    programs.require(host, (host.tools.git,))
    return str(server), jail.plain_upload_pack(host.tools.git)


def _refusal(completed: Completed, name: str, commit: str) -> HiveError:
    why = runner.command_failed(completed).why
    ours = [line for line in why.splitlines() if not line.startswith("remote:")]
    if any(words in why for words in _MISSING):
        return BadData(
            f"{commit} does not exist in the proposed repo of {name}",
            "git did not find it there",
            f"Commit it in /agents/{name}/config and submit again.",
        )
    if (no_room := files.disk_full_error("\n".join(ours))) is not None:
        return CannotCreate(f"{commit[:12]} could not be taken in", why, files.fix_for(no_room))
    if any(line.startswith(("jail: ", "bwrap: ", "setpriv: ")) for line in ours):
        return Unavailable("The jail for the proposed repo could not be made", why, jail.FIX)
    slow = f"it took longer than {SECONDS:g} seconds" if completed.timed_out else why
    return BadData(
        f"{commit[:12]} of the proposed repo of {name} was refused",
        slow,
        f"At most {jail.LARGEST_FILE >> 20} MiB and sound objects are accepted; try git fsck in its container.",
    )


def _keep(quarantine: Path, git_dir: Path) -> None:
    """Move the packs over, each after its index: what is half there is then seen by neither git nor dulwich."""
    source, target = quarantine / "objects/pack", git_dir / "objects/pack"
    packs = sorted(source.glob("pack-*"), key=lambda path: path.suffix == ".pack")
    with temp_dirs.directory_lock(target):
        _remove_halves(target)
        for path in packs:
            if path.suffix != ".keep":
                files.sync(path)
                path.replace(target / path.name)
        files.sync(target)


def _remove_halves(packs: Path) -> None:
    """What a kill left of a pack on its way; a young half may be of a repack at work."""
    for path in packs.glob("pack-*"):
        if not path.with_suffix(".pack").exists() and time.time() - path.stat().st_mtime > _HALF_SECONDS:
            path.unlink()
