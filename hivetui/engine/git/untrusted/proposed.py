"""The proposed repo of an agent, which its manager edits and the engine never trusts.

It is created in a private directory and moved into place by one rename. After that the engine runs no git in it: refs,
object names and the configuration are read by `reading`, and a commit is imported into applied by `quarantine`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hivetui.engine.git import objects
from hivetui.engine.git.commands import Git, is_hash
from hivetui.engine.git.untrusted import configuration, object_names, quarantine, reading, revisions
from hivetui.engine.git.untrusted.configuration import MAX_CONFIG, config_text
from hivetui.engine.host import files, temp_dirs
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, CannotCreate, NotFound
from hivetui.engine.model.names import check

AGENT_NIX = """\
# A NixOS module on top of the base of every agent.
# Options go into the braces, for example
#   environment.systemPackages = [ pkgs.jq ];
{ config, lib, pkgs, ... }:
{
}
"""
FLAKE_NIX = """\
{
  outputs = { self }: {
    nixosModules.default = import ./agent.nix;
  };
}
"""

_SECTION = re.compile(r"\s*\[\s*remote\s+\"applied\"\s*\]", re.IGNORECASE)
_ANY_SECTION = re.compile(r"\s*\[")


async def create(host: Host, name: str) -> None:
    """Create the repo with its two files and one commit on main; an existing one stays as it is."""
    parent = host.paths.agents / check(name)
    if os.path.lexists(host.paths.proposed(name) / ".git"):
        return
    files.make_directory(parent)
    files.make_directory(host.paths.work)
    failure = f"The proposed repo of {name} could not be created"
    with files.translate_os_errors(failure), temp_dirs.temporary_directory(host.paths.work, "proposed-") as directory:
        repo = directory / "config"
        await _initialize(host, name, repo)
        files.sync_tree(repo)
        _move_into_place(host, name, repo)


async def _initialize(host: Host, name: str, directory: Path) -> None:
    directory.mkdir(mode=0o755)
    git = Git(host, directory)
    await git.run("init", "--quiet", "--initial-branch=main")
    for file, text in (("agent.nix", AGENT_NIX), ("flake.nix", FLAKE_NIX)):
        (directory / file).write_text(text)
    await git.run("add", "--", "agent.nix", "flake.nix")
    await git.run("commit", "--quiet", "-m", f"The configuration of {name}")
    await git.run("remote", "add", "applied", _url(name))


def _move_into_place(host: Host, name: str, repo: Path) -> None:
    """Move the finished repo into place by one rename, which replaces an empty directory."""
    with reading.open_directory(host.paths.agents) as agents, agents.inside(name) as parent:
        try:
            repo.chmod(0o755)
            os.rename(repo, "config", dst_dir_fd=parent.descriptor)
        except OSError as error:
            raise CannotCreate(
                f"{parent.shown}/config blocks the new proposed repo",
                error.strerror or "",
                "Move it aside and spawn again.",
            ) from error
        _sync(parent)


def _url(name: str) -> str:
    return f"/applied/{name}/.git"


async def fetch(host: Host, name: str, commit: str) -> None:
    """Import `commit` (full hash) into applied without any ref; a refusal is BadData and leaves no files."""
    git_dir = host.paths.applied_git(check(name))
    await quarantine.import_commit(host, name, commit, git_dir, objects.refs(git_dir, "refs").values())


async def resolve(host: Host, name: str, text: str | None) -> str:
    """The full hash of main (for None), or of a hash, short hash, branch, tag or HEAD, read without git; BadData.

    Whether a hash is that of an existing commit is checked by `fetch`.
    """
    if text is not None and is_hash(text.lower()):
        return text.lower()
    await configuration.check(host, name)  # in another format, a repo would seem to be empty
    with _git_directory(host, name) as git:
        return _main(git, name) if text is None else _named(git, name, text)


def checked_out(host: Host, name: str) -> tuple[str, str | None]:
    """The branch that is checked out, "" for none, and its commit; neither where that cannot be read."""
    try:
        with _git_directory(host, name) as git:
            return revisions.checked_out(git)
    except (BadData, NotFound):
        return "", None


@contextmanager
def _git_directory(host: Host, name: str) -> Iterator[reading.Directory]:
    with reading.open_directory(host.paths.agents) as agents, agents.inside(check(name), "config", ".git") as git:
        yield git


def _main(git: reading.Directory, name: str) -> str:
    if commit := revisions.resolve_ref(git, "refs/heads/main"):
        return commit
    branches = revisions.branches(git)
    why = f"it has: {', '.join(branches)}" if branches else "nothing is committed there"
    fix = "Name one of them: hivetui submit NAME BRANCH" if branches else "Commit on its main branch."
    raise BadData(f"The proposed repo of {name} has no main branch", why, fix)


def _named(git: reading.Directory, name: str, text: str) -> str:
    hashes = object_names.complete(git, text.lower()) | revisions.resolve(git, text)
    if len(hashes) == 1:
        return hashes.pop()
    if hashes:
        raise BadData(
            f"{text[:60]!r} is ambiguous in the proposed repo of {name}",
            f"{len(hashes)} objects, branches or tags match",
            "Give more digits of the hash, or heads/NAME for a branch and tags/NAME for a tag.",
        )
    raise BadData(
        f"{text[:60]!r} is not a commit in the proposed repo of {name}",
        "it is not a hash, short hash, branch or tag",
        "Give a hash of at least 4 digits, a branch, a tag or HEAD.",
    )


def set_applied_remote(host: Host, name: str) -> str | None:
    """Set the remote `applied` of the repo to the path at which its manager sees applied, in its configuration.

    None on success; else why the configuration was not changed (hostile, unreadable, locked).
    """
    try:
        with _git_directory(host, name) as git:
            text = config_text(git)
            wanted = _with_remote(text, _url(name))
            return None if wanted == text else _write_config(git, wanted)
    except (BadData, NotFound) as error:
        return str(error)


def _with_remote(text: str, url: str) -> str:
    """The configuration with exactly one section for the remote, added at the end unless it was already right."""
    section = f'[remote "applied"]\n\turl = {url}\n\tfetch = +refs/heads/*:refs/remotes/applied/*\n'
    others, current = _split(text)
    if current == section:
        return text
    end = "" if not others or others.endswith("\n") else "\n"
    return others + end + section


def _split(text: str) -> tuple[str, str]:
    """(all other lines, the lines of sections of the remote)."""
    others: list[str] = []
    remote: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if _ANY_SECTION.match(line):
            inside = _SECTION.match(line) is not None
        (remote if inside else others).append(line)
    return "".join(others), "".join(remote)


def _write_config(git: reading.Directory, text: str) -> str | None:
    """Replace the configuration under git's own lock file, so that a change by the manager's git is not lost."""
    data = text.encode("utf-8", "surrogateescape")
    if len(data) > MAX_CONFIG:
        return f"{git.shown}/config is too long"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open("config.lock", flags, 0o644, dir_fd=git.descriptor)
    except OSError as error:
        return f"{git.shown}/config cannot be written: {error.strerror}"
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            files.sync_open_file(file)
        os.rename("config.lock", "config", src_dir_fd=git.descriptor, dst_dir_fd=git.descriptor)
    except OSError as error:
        os.unlink("config.lock", dir_fd=git.descriptor)
        return f"{git.shown}/config cannot be written: {error.strerror}"
    _sync(git)
    return None


def _sync(directory: reading.Directory) -> None:
    """Sync a directory, which its O_PATH descriptor does not allow."""
    files.sync_directory(Path(), dir_fd=directory.descriptor)
