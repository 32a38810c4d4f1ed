"""The bounded look at a commit that somebody proposed, before anything else looks at it.

It runs in the quarantine of a fetch. A difference of a small hostile commit can take gigabytes; this stops at the
first limit that is passed. Each refusal is a BadData with the limit, the path and the count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from hivetui.engine.git.commands import Git
from hivetui.engine.git.untrusted import jail
from hivetui.engine.host import files, runner
from hivetui.engine.host.host import Completed
from hivetui.engine.model.errors import BadData

MOST_ENTRIES = 5_000
MOST_FOLDERS = 5_000
MOST_BYTES = 16 << 20
LARGEST_BLOB = 1 << 20
DEEPEST = 32
LONGEST_PATH = 512
"""Bytes of a path."""
MOST_COMMITS = 200
MOST_OF_COMMITS = 2 << 20
"""Bytes of all new commits with their messages."""
LONGEST_TARGET = 1024
"""Bytes of what a symbolic link points at."""
MOST_HOPS = 40
"""Links in a row, as Linux follows them (path_resolution(7))."""
SECONDS = 20.0

_FIX = "Propose a commit without it; only the files of the agent's configuration belong into the repo."
_FILE_MODES = ("100644", "100755", "120000")


class _Entry(NamedTuple):
    mode: str
    name: str
    size: int
    path: str


@dataclass
class _Count:
    entries: int = 0
    folders: int = 0
    bytes: int = 0


async def check(git: Git, commit: str, known: Iterable[str], scratch: Path) -> None:
    """Refuse the commit, or any new one before it, when it is beyond a limit.

    `git` is the quarantine, `known` what the refs of applied hold, `scratch` a private folder for listings.
    """
    await _is_commit(git, commit)
    trees = await _new_trees(git, commit, known)
    for number, (origin, tree) in enumerate(trees.items()):
        listing = scratch / f"listing-{number}"
        await _list(git, tree, listing, origin)
        links = _look_at(listing.read_bytes(), origin)
        listing.unlink()
        await _check_links(git, links)


async def _run(git: Git, *args: str, stdin: bytes = b"", output: Path | None = None, keep: int = 1 << 20) -> Completed:
    command = git.command(*args, stdin=stdin, timeout=SECONDS, keep=keep)
    return await git.host.runner.run(replace(command, argv=jail.limited(command.argv, output)))


async def _is_commit(git: Git, commit: str) -> None:
    completed = await _run(git, "cat-file", "--batch-check", stdin=commit.encode() + b"\n")
    kind, size = ([*completed.text.split(), "", ""])[1:3]
    if completed.status or kind == "missing":
        raise BadData(
            f"{commit} does not exist in the proposed repo", "it has no such object", "Submit a commit of it."
        )
    if kind != "commit":
        raise BadData(f"{commit} is no commit but a {kind}", "only a commit can be deployed", "Submit a commit.")
    if int(size) > LARGEST_BLOB:
        raise _beyond(f"{LARGEST_BLOB} bytes of a commit", commit, f"{size} bytes")


async def _new_trees(git: Git, commit: str, known: Iterable[str]) -> dict[str, str]:
    """For each tree to look at, the newest new commit that has it: {commit: tree}; `commit` itself always."""
    revisions = "\n".join([commit, *(f"^{old}" for old in sorted(set(known)))]) + "\n"
    arguments = ("rev-list", f"--max-count={MOST_COMMITS + 1}", "--no-commit-header", "--format=%H %T", "--stdin")
    completed = _well(await _run(git, *arguments, stdin=revisions.encode()))
    rows = [line.split() for line in completed.text.splitlines()]
    if len(rows) > MOST_COMMITS:
        raise BadData(
            f"{commit[:12]} brings more than {MOST_COMMITS} new commits",
            f"at most {MOST_COMMITS} are accepted at once",
            "Squash them, or have a part of them deployed first.",
        )
    await _small_commits(git, [origin for origin, _ in rows])
    trees = {tree: origin for origin, tree in reversed(rows)}
    return {origin: tree for tree, origin in trees.items()} or {commit: f"{commit}^{{tree}}"}


async def _small_commits(git: Git, commits: list[str]) -> None:
    """Refuse messages that nobody could read: all of a review's commits are shown, and held in memory."""
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    told = _well(await _run(git, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked))
    sizes = {commit: int(size) for commit, size in (line.split() for line in told.text.splitlines())}
    if sum(sizes.values()) > MOST_OF_COMMITS:
        longest = max(sizes, key=lambda commit: sizes[commit])
        raise _beyond(f"{MOST_OF_COMMITS} bytes of new commits", longest, f"{sum(sizes.values())} bytes")


def _well(completed: Completed) -> Completed:
    if completed.status or completed.timed_out:
        raise BadData(
            "The proposed commit cannot be read within the limits", runner.command_failed(completed).why, _FIX
        )
    return completed


async def _list(git: Git, tree: str, listing: Path, origin: str) -> None:
    """Write the listing of a whole tree into a file. The kernel ends git at its size limit, which `_look_at` tells."""
    completed = await _run(git, "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", tree, output=listing)
    cut = listing.exists() and listing.stat().st_size >= jail.LARGEST_LISTING - 4096
    if not cut and (completed.status or completed.timed_out):
        if refusal := files.write_refusal(runner.command_failed(completed).why, listing.parent):
            raise files.describe_os_error(refusal, f"{listing.parent} could not be written")
        raise BadData(f"The files of {origin[:12]} cannot be listed", runner.command_failed(completed).why, _FIX)


def _look_at(listing: bytes, origin: str) -> dict[str, _Entry]:
    """Refuse what is beyond a limit; the symbolic links by their path."""
    count, links = _Count(), {}
    for record in listing.split(b"\0")[:-1]:
        entry = _parsed(record, origin)
        _check_name(entry.path)
        if entry.mode == "040000":
            count.folders += 1
            _at_most(count.folders, MOST_FOLDERS, "folders", entry.path)
            continue
        _check_file(entry, count)
        if entry.mode == "120000":
            links[entry.path] = entry
    return links


def _parsed(record: bytes, origin: str) -> _Entry:
    """One record of `ls-tree -l -z`: "mode type hash size TAB path", the size of a folder or gitlink as "-"."""
    fields, _, raw = record.partition(b"\t")
    mode, _, name, size = fields.decode("ascii").split()
    try:
        path = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadData(f"{raw[:80]!r} in {origin[:12]} is no name in UTF-8", "names must be printable", _FIX) from error
    return _Entry(mode, name, 0 if size == "-" else int(size), path)


def _check_name(path: str) -> None:
    if not path.isprintable():
        raise BadData(f"{path[:80]!r} is not printable", "names must be printable UTF-8", _FIX)
    if (length := len(path.encode())) > LONGEST_PATH:
        raise _beyond(f"{LONGEST_PATH} bytes of a path", path[:60] + "…", f"{length} bytes")
    if (levels := path.count("/") + 1) > DEEPEST:
        raise _beyond(f"{DEEPEST} levels of folders", path[:60], f"{levels} levels")


def _check_file(entry: _Entry, count: _Count) -> None:
    count.entries += 1
    count.bytes += entry.size
    _at_most(count.entries, MOST_ENTRIES, "entries", entry.path)
    if entry.mode == "160000":
        raise BadData(f"{entry.path} is a submodule (gitlink)", "its content would be in another repo", _FIX)
    if entry.mode not in _FILE_MODES:
        raise BadData(f"{entry.path} has the mode {entry.mode}", f"accepted are {', '.join(_FILE_MODES)}", _FIX)
    if entry.size > LARGEST_BLOB:
        raise _beyond(f"{LARGEST_BLOB} bytes of a file", entry.path, f"{entry.size} bytes")
    if count.bytes > MOST_BYTES:
        raise _beyond(f"{MOST_BYTES} bytes in all", entry.path, f"{count.bytes} bytes")
    if entry.mode == "120000" and entry.size > LONGEST_TARGET:
        raise _beyond(f"{LONGEST_TARGET} bytes of a link's target", entry.path, f"{entry.size} bytes")


def _at_most(count: int, most: int, of: str, path: str) -> None:
    if count > most:
        raise _beyond(f"{most} {of}", path, f"at least {count}")


def _beyond(limit: str, path: str, count: str) -> BadData:
    return BadData(f"The proposed commit is beyond the limit of {limit}: {count}", f"at {path}", _FIX)


async def _check_links(git: Git, links: Mapping[str, _Entry]) -> None:
    """Refuse links that are absolute or lead out of the tree, by whatever way."""
    if not links:
        return
    names = "".join(entry.name + "\n" for entry in links.values())
    keep = sum(entry.size + 100 for entry in links.values())
    completed = _well(await _run(git, "cat-file", "--batch", stdin=names.encode(), keep=keep))
    targets = dict(zip(links, _bodies(completed.stdout), strict=True))
    for path in targets:
        _check_link(path, targets)


def _bodies(output: bytes) -> list[str]:
    """The contents in what `cat-file --batch` wrote: "hash type size LF content LF" for each."""
    found, at = [], 0
    while at < len(output):
        end = output.index(b"\n", at)
        size = int(output[at:end].split()[2])
        found.append(output[end + 1 : end + 1 + size].decode("utf-8", "surrogateescape"))
        at = end + size + 2
    return found


def _check_link(path: str, targets: Mapping[str, str]) -> None:
    target = targets[path]
    if not target.isprintable() or not target:
        raise BadData(f"{path} is a link to {target[:80]!r}", "a target must be printable UTF-8", _FIX)
    if target.startswith("/"):
        raise BadData(f"{path} is an absolute link, to {target[:80]}", "it would lead out of the repo", _FIX)
    if leaves(path, targets):
        raise BadData(f"{path} is a link that leaves the repo, to {target[:80]}", "it leads above its top", _FIX)


def leaves(path: str, targets: Mapping[str, str]) -> bool:
    """Whether following `path` ever leads above the top of the tree (or into a loop), by way of other links too."""
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
            if target.startswith("/") or hops > MOST_HOPS:
                return True
            here.pop()
            todo += target.split("/")[::-1]
    return False
