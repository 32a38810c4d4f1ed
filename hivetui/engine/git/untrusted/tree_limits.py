"""Checks the size and the shape of a proposed commit's trees, before anything else reads them.

It runs in the quarantine of a fetch. The diff of a small hostile commit can take gigabytes; this stops at the first
limit that is exceeded. Each refusal is a BadData with the limit, the path and the count.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from hivetui.engine.git.commands import Git
from hivetui.engine.git.untrusted import jail
from hivetui.engine.host import files, runner
from hivetui.engine.host.host import Completed
from hivetui.engine.model.errors import BadData, TryAgain

MAX_ENTRIES = 5_000
MAX_DIRECTORIES = 5_000
MAX_BYTES = 16 << 20
MAX_BLOB = 1 << 20
MAX_DEPTH = 32
MAX_PATH = 512
"""Bytes of a path."""
MAX_COMMITS = 200
MAX_COMMIT_BYTES = 2 << 20
"""Bytes of all new commits with their messages."""
MAX_TARGET = 1024
"""Bytes of the target of a symbolic link."""
MAX_LINKS = 40
"""The most links followed in one path, as in Linux (path_resolution(7))."""
TIMEOUT = 20.0

_FIX = "Propose a commit without it; only the files of the agent's configuration belong in the repo."
_FILE_MODES = ("100644", "100755", "120000")


class _Entry(NamedTuple):
    mode: str
    name: str
    size: int
    path: str


@dataclass
class _Count:
    entries: int = 0
    directories: int = 0
    bytes: int = 0


async def check(git: Git, commit: str, known: Iterable[str], scratch: Path) -> None:
    """Refuse the commit when it, or any new commit before it, exceeds a limit.

    `git` is the quarantine, `known` the hashes in the refs of applied, `scratch` a private directory for listings.
    """
    await _require_commit(git, commit)
    trees = await _new_trees(git, commit, known)
    for number, (origin, tree) in enumerate(trees.items()):
        listing = scratch / f"listing-{number}"
        await _list(git, tree, listing, origin)
        links = _check_listing(listing.read_bytes(), origin)
        listing.unlink()
        await _check_links(git, links)


async def _run(git: Git, *args: str, stdin: bytes = b"", output: Path | None = None, keep: int = 1 << 20) -> Completed:
    command = git.command(*args, stdin=stdin, timeout=TIMEOUT, keep=keep)
    return await git.host.runner.run(replace(command, argv=jail.limited(command.argv, output)))


async def _require_commit(git: Git, commit: str) -> None:
    completed = _require_success(await _run(git, "cat-file", "--batch-check", stdin=commit.encode() + b"\n"))
    kind, size = ([*completed.text.split(), "", ""])[1:3]
    if kind == "missing":
        raise BadData(
            f"{commit} does not exist in the proposed repo", "it has no such object", "Submit a commit of it."
        )
    if kind == "tag":
        raise BadData(
            f"{commit} is not a commit but a tag",
            "only a commit can be deployed",
            f"Submit its commit, from: git rev-parse {commit[:12]}^{{commit}}",
        )
    if kind != "commit":
        raise BadData(f"{commit} is not a commit but a {kind}", "only a commit can be deployed", "Submit a commit.")
    if int(size) > MAX_BLOB:
        raise _exceeded(f"{MAX_BLOB} bytes of a commit", commit, f"{size} bytes")


async def _new_trees(git: Git, commit: str, known: Iterable[str]) -> dict[str, str]:
    """The trees to check, each with the newest new commit that has it: {commit: tree}; always includes `commit`."""
    revisions = "\n".join([commit, *(f"^{old}" for old in sorted(set(known)))]) + "\n"
    arguments = ("rev-list", f"--max-count={MAX_COMMITS + 1}", "--no-commit-header", "--format=%H %T", "--stdin")
    completed = _require_success(await _run(git, *arguments, stdin=revisions.encode()))
    rows = [line.split() for line in completed.text.splitlines()]
    if len(rows) > MAX_COMMITS:
        raise BadData(
            f"{commit[:12]} contains more than {MAX_COMMITS} new commits",
            f"at most {MAX_COMMITS} are accepted at once",
            "Squash them, or have a part of them deployed first.",
        )
    await _require_small_commits(git, [origin for origin, _ in rows])
    trees = {tree: origin for origin, tree in reversed(rows)}
    return {origin: tree for tree, origin in trees.items()} or {commit: f"{commit}^{{tree}}"}


async def _require_small_commits(git: Git, commits: list[str]) -> None:
    """Refuse very long messages: a review shows all of its commits, and holds them in memory."""
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    completed = _require_success(await _run(git, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked))
    sizes = {commit: int(size) for commit, size in (line.split() for line in completed.text.splitlines())}
    if sum(sizes.values()) > MAX_COMMIT_BYTES:
        longest = max(sizes, key=lambda commit: sizes[commit])
        raise _exceeded(f"{MAX_COMMIT_BYTES} bytes of new commits", longest, f"{sum(sizes.values())} bytes")


def _require_success(completed: Completed) -> Completed:
    if completed.status == -signal.SIGKILL:
        why = "git was killed, perhaps because the host has too little memory"
        raise TryAgain("The proposed commit could not be read", why, "Try again when the host is less busy.")
    if completed.timed_out or completed.status == -signal.SIGXCPU:
        why = f"it took longer than {TIMEOUT:g} seconds"
        raise BadData("The proposed commit cannot be read within the limits", why, _FIX)
    if completed.status:
        failure = runner.command_failed(completed)
        fix = "Run git fsck in the proposed repo: every object that the commit needs must be there and be sound."
        raise BadData("The proposed commit cannot be read", failure.why or failure.what, fix)
    return completed


async def _list(git: Git, tree: str, listing: Path, origin: str) -> None:
    """Write the recursive listing of a tree into a file; the kernel ends git at the size limit."""
    completed = await _run(git, "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", tree, output=listing)
    cut = listing.exists() and listing.stat().st_size >= jail.LARGEST_LISTING - 4096
    if not cut and (completed.status or completed.timed_out):
        if refusal := files.write_refusal(runner.command_failed(completed).why, listing.parent):
            raise files.describe_os_error(refusal, f"{listing.parent} could not be written")
        raise BadData(f"The files of {origin[:12]} cannot be listed", runner.command_failed(completed).why, _FIX)


def _check_listing(listing: bytes, origin: str) -> dict[str, _Entry]:
    """Refuse a listing that exceeds a limit; return the symbolic links by their path."""
    count, links = _Count(), {}
    for record in listing.split(b"\0")[:-1]:
        entry = _parse(record, origin)
        _check_name(entry.path)
        if entry.mode == "040000":
            count.directories += 1
            _require_at_most(count.directories, MAX_DIRECTORIES, "directories", entry.path)
            continue
        _check_file(entry, count)
        if entry.mode == "120000":
            links[entry.path] = entry
    return links


def _parse(record: bytes, origin: str) -> _Entry:
    """One record of `ls-tree -l -z`: "mode type hash size TAB path", with "-" as size of a tree or gitlink."""
    fields, _, raw = record.partition(b"\t")
    mode, _, name, size = fields.decode("ascii").split()
    try:
        path = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadData(
            f"{raw[:80]!r} in {origin[:12]} is not a name in UTF-8", "names must be printable", _FIX
        ) from error
    return _Entry(mode, name, 0 if size == "-" else int(size), path)


def _check_name(path: str) -> None:
    if not path.isprintable():
        raise BadData(f"{path[:80]!r} is not printable", "names must be printable UTF-8", _FIX)
    if (length := len(path.encode())) > MAX_PATH:
        raise _exceeded(f"{MAX_PATH} bytes of a path", path[:60] + "…", f"{length} bytes")
    if (levels := path.count("/") + 1) > MAX_DEPTH:
        raise _exceeded(f"{MAX_DEPTH} levels of directories", path[:60], f"{levels} levels")


def _check_file(entry: _Entry, count: _Count) -> None:
    count.entries += 1
    count.bytes += entry.size
    _require_at_most(count.entries, MAX_ENTRIES, "entries", entry.path)
    if entry.mode == "160000":
        raise BadData(f"{entry.path} is a submodule (gitlink)", "its content would be in another repo", _FIX)
    if entry.mode not in _FILE_MODES:
        raise BadData(f"{entry.path} has the mode {entry.mode}", f"accepted are {', '.join(_FILE_MODES)}", _FIX)
    if entry.size > MAX_BLOB:
        raise _exceeded(f"{MAX_BLOB} bytes of a file", entry.path, f"{entry.size} bytes")
    if count.bytes > MAX_BYTES:
        raise _exceeded(f"{MAX_BYTES} bytes in all", entry.path, f"{count.bytes} bytes")
    if entry.mode == "120000" and entry.size > MAX_TARGET:
        raise _exceeded(f"{MAX_TARGET} bytes of a link's target", entry.path, f"{entry.size} bytes")


def _require_at_most(count: int, most: int, of: str, path: str) -> None:
    if count > most:
        raise _exceeded(f"{most} {of}", path, f"at least {count}")


def _exceeded(limit: str, path: str, count: str) -> BadData:
    return BadData(f"The proposed commit exceeds the limit of {limit}: {count}", f"at {path}", _FIX)


async def _check_links(git: Git, links: Mapping[str, _Entry]) -> None:
    """Refuse links that are absolute or lead out of the tree, directly or through other links."""
    if not links:
        return
    names = "".join(entry.name + "\n" for entry in links.values())
    keep = sum(entry.size + 100 for entry in links.values())
    completed = _require_success(await _run(git, "cat-file", "--batch", stdin=names.encode(), keep=keep))
    targets = dict(zip(links, _bodies(completed.stdout), strict=True))
    for path in targets:
        _check_link(path, targets)


def _bodies(output: bytes) -> list[str]:
    """The contents in the output of `cat-file --batch`: "hash type size LF content LF" for each (git-cat-file(1))."""
    bodies, at = [], 0
    while at < len(output):
        end = output.index(b"\n", at)
        size = int(output[at:end].split()[2])
        bodies.append(output[end + 1 : end + 1 + size].decode("utf-8", "surrogateescape"))
        at = end + size + 2
    return bodies


def _check_link(path: str, targets: Mapping[str, str]) -> None:
    target = targets[path]
    if not target.isprintable() or not target:
        raise BadData(f"{path} is a link to {target[:80]!r}", "a target must be printable UTF-8", _FIX)
    if target.startswith("/"):
        raise BadData(f"{path} is an absolute link, to {target[:80]}", "it would lead out of the repo", _FIX)
    if leaves_tree(path, targets):
        raise BadData(f"{path} is a link that leaves the repo, to {target[:80]}", "it leads above its top", _FIX)


def leaves_tree(path: str, targets: Mapping[str, str]) -> bool:
    """Whether following `path`, through other links too, leads above the top of the tree or into a loop."""
    here: list[str] = []
    todo = path.split("/")[::-1]
    hops = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return True
            here.pop()
            continue
        here.append(part)
        target = targets.get("/".join(here))
        if target is not None:
            hops += 1
            if target.startswith("/") or hops > MAX_LINKS:
                return True
            here.pop()
            todo += target.split("/")[::-1]
    return False
