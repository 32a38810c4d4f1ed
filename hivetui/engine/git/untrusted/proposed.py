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
from hivetui.engine.git.untrusted import quarantine, reading
from hivetui.engine.git.untrusted.inspection import MAX_CONFIG, config_text
from hivetui.engine.host import files, temp_dirs
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, CannotCreate, NotFound
from hivetui.engine.model.names import check

AGENT_NIX = """\
# What is special about this agent: a NixOS module on top of the base system of every agent.
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

_SHORT = re.compile(r"[0-9a-f]{4,40}", re.ASCII)
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*", re.ASCII)
_SYMBOLIC = re.compile(r"ref: (refs/heads/\S+)\n?", re.ASCII)
_MAX_PACKED_REFS = 4 << 20
_MAX_INDEX_BYTES = 4 << 20
"""The most bytes of pack indexes that are read to complete one short hash."""
_INDEX_HEAD = 8 + 1024
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
    """The full hash of main (for None), of a full or short hash, or of a branch, by reading only names; BadData.

    Whether a hash is that of an existing commit is checked by `fetch`.
    """
    if text is not None and is_hash(text.lower()):
        return text.lower()
    with _git_directory(host, name) as git:
        return _main(git, name) if text is None else _named(git, name, text)


@contextmanager
def _git_directory(host: Host, name: str) -> Iterator[reading.Directory]:
    with reading.open_directory(host.paths.agents) as agents, agents.inside(check(name), "config", ".git") as git:
        yield git


def _main(git: reading.Directory, name: str) -> str:
    if commit := _branch(git, "refs/heads/main"):
        return commit
    raise BadData(
        f"The proposed repo of {name} has no main branch", "nothing is committed there", "Commit on its main branch."
    )


def _named(git: reading.Directory, name: str, text: str) -> str:
    hashes = set(_complete(git, text.lower())) if _SHORT.fullmatch(text.lower()) else set()
    if _BRANCH.fullmatch(text) and ".." not in text and not text.endswith((".lock", ".")):
        hashes |= {value for value in [_branch(git, f"refs/heads/{text}")] if value}
    if len(hashes) == 1:
        return hashes.pop()
    if hashes:
        raise BadData(
            f"{text[:60]!r} is ambiguous in the proposed repo of {name}",
            f"{len(hashes)} objects or branches match",
            "Give more digits of the hash.",
        )
    raise BadData(
        f"{text[:60]!r} is not a commit in the proposed repo of {name}",
        "it is not a hash, short hash or branch",
        "Give a hash of at least 4 digits, or a branch.",
    )


def _branch(git: reading.Directory, ref: str, follow: int = 5) -> str | None:
    """The hash that a branch holds (gitrepository-layout(5)); a symbolic one is followed among branches."""
    try:
        text = git.read(*ref.split("/"), most=1024).decode("ascii", "replace")
    except NotFound:
        return _packed_branch(git, ref)
    if is_hash(text.rstrip("\n")):
        return text.rstrip("\n")
    link = _SYMBOLIC.fullmatch(text)
    return _branch(git, link[1], follow - 1) if link and follow and ".." not in link[1] else None


def _packed_branch(git: reading.Directory, ref: str) -> str | None:
    try:
        raw = git.read("packed-refs", most=_MAX_PACKED_REFS)
    except NotFound:
        return None
    lines = (line.partition(" ") for line in raw.decode("utf-8", "replace").splitlines())
    return next((value for value, _, name in lines if name == ref and is_hash(value)), None)


def _complete(git: reading.Directory, short: str) -> Iterator[str]:
    """The hashes of all objects, loose and packed, that start with `short`."""
    yield from _loose(git, short)
    try:
        with git.inside("objects", "pack") as packs:
            names = [name for name, _ in packs.entries() if name.endswith(".idx")]
            budget = _MAX_INDEX_BYTES
            for name in names:
                bucket = _bucket(packs, name, int(short[:2], 16), budget)
                budget -= _INDEX_HEAD + len(bucket)
                yield from (value for value in _hashes(bucket) if value.startswith(short))
    except NotFound:
        return


def _loose(git: reading.Directory, short: str) -> Iterator[str]:
    try:
        with git.inside("objects", short[:2]) as directory:
            hashes = [short[:2] + name for name, _ in directory.entries()]
    except NotFound:
        return
    yield from (name for name in hashes if is_hash(name) and name.startswith(short))


def _bucket(packs: reading.Directory, name: str, first: int, budget: int) -> bytes:
    """The hashes in a pack index whose first byte is `first`; BadData when that takes more than `budget` bytes.

    Version 2 of its format (gitformat-pack(5)): 8 bytes, 256 counts, then all names of 20 bytes, sorted.
    """
    head = packs.read(name, most=_INDEX_HEAD)
    if len(head) < _INDEX_HEAD or head[:8] != b"\xfftOc\0\0\0\2":
        raise BadData(f"{packs.shown}/{name} has an unknown pack index version", "", "Give the full hash.")
    start, end = (int.from_bytes(head[8 + 4 * at : 12 + 4 * at], "big") if at >= 0 else 0 for at in (first - 1, first))
    size = max(end - start, 0) * 20
    if _INDEX_HEAD + size > budget:
        raise BadData(
            f"{packs.shown} is too large to complete a short hash",
            f"of its indexes at most {_MAX_INDEX_BYTES >> 20} MiB are read",
            "Give the full hash.",
        )
    return packs.read(name, most=size, start=_INDEX_HEAD + start * 20)


def _hashes(names: bytes) -> Iterator[str]:
    return (names[at : at + 20].hex() for at in range(0, len(names) - 19, 20))


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
