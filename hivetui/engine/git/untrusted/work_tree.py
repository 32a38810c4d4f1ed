"""What the work tree of a proposed repo has that a commit has not, for a hint to whoever submits it.

Nothing of the repo is run or followed: regular files are read, and compared by their hashes with those of the commit in
the applied repo. A file that git would convert (line endings, filters) may therefore be named although it is committed.
"""

from __future__ import annotations

import asyncio
import hashlib
import stat
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hivetui.engine import tool_messages
from hivetui.engine.git.commands import Git
from hivetui.engine.git.untrusted import reading, tree_limits
from hivetui.engine.git.untrusted.reading import Directory
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError

_MAX_FILES = 200
_MAX_BYTES = tree_limits.MAX_BLOB
_MAX_NAMED = 20
_MAX_ENTRIES, _MAX_DEPTH = 2000, 16  # of the work tree that are looked at for new files
_REGULAR = ("100644", "100755")


class _Found(NamedTuple):
    """Files that are not committed, and what was not looked at, in sentences."""

    files: tuple[str, ...]
    unseen: tuple[str, ...]


async def uncommitted_files(host: Host, name: str, commit: str) -> tuple[str, ...]:
    """The files of the commit that differ in the work tree of `name`, and new .nix files; at most 20.

    Empty when that cannot be seen, as in a repo without a work tree. What was not looked at because of a limit is
    reported to `tool_messages`.
    """
    try:
        listed = await Git(host, host.paths.applied_git(name)).run("ls-tree", "-r", "-z", commit)
        blobs = {path: (mode, blob) for mode, blob, path in _entries(listed.text)}
        found = await asyncio.to_thread(_compare, host, name, blobs)
    except HiveError:
        return ()
    tool_messages.pass_on(found.unseen)
    return found.files


def _entries(listed: str) -> Iterator[tuple[str, str, str]]:
    """Mode, hash and path of each record of `ls-tree -z`."""
    for record in filter(None, listed.split("\0")):
        head, _, path = record.partition("\t")
        mode, _, blob = head.split(" ")
        yield mode, blob, path


def _compare(host: Host, name: str, blobs: Mapping[str, tuple[str, str]]) -> _Found:
    regular = sorted((path for path, (mode, _) in blobs.items() if mode in _REGULAR), key=_is_no_module)
    unseen: list[str] = []
    with reading.open_directory(host.paths.proposed(name)) as tree:
        changed = [path for path in regular[:_MAX_FILES] if _differs(tree, path, blobs[path][1])]
        added = sorted(path for path in _nix_files(name, tree, unseen) if path not in blobs)
    if (left := len(regular) - _MAX_FILES) > 0:
        unseen.append(f"Not compared with the work tree of {name}: {left} of {len(regular)} files of the commit")
    files = (*changed, *added)
    if (left := len(files) - _MAX_NAMED) > 0:
        unseen.append(f"Not committed by {name} either, and not named: {left} of {len(files)} files")
    return _Found(files[:_MAX_NAMED], tuple(unseen))


def _is_no_module(path: str) -> bool:
    """Sorts the .nix files first, which decide what is built."""
    return not path.endswith(".nix")


def _nix_files(name: str, tree: Directory, unseen: list[str]) -> Iterator[str]:
    """The .nix files of the work tree, the upper directories first; not those in hidden directories, as .git is.

    `unseen` gets a sentence when there is more than may be looked at.
    """
    waiting, seen = [""], 0
    while waiting:
        if seen >= _MAX_ENTRIES:
            unseen.append(
                f"New files of {name} were looked for among {seen} entries of its work tree, and there are more"
            )
            return
        folder = waiting.pop(0)
        try:
            with tree.inside(*folder.split("/")[:-1]) as directory:
                entries = sorted(directory.entries())
        except HiveError:  # gone, replaced by a link, or too large
            continue
        seen += len(entries)
        for entry, status in entries:
            if stat.S_ISDIR(status.st_mode) and not entry.startswith(".") and folder.count("/") < _MAX_DEPTH:
                waiting.append(f"{folder}{entry}/")
            elif entry.endswith(".nix"):
                yield folder + entry


def _differs(tree: Directory, path: str, blob: str) -> bool:
    try:
        content = tree.read(*path.split("/"), most=_MAX_BYTES + 1)
    except HiveError:  # there is no such file, or something else in its place
        return True
    if len(content) > _MAX_BYTES:  # a commit that may be proposed has no such file
        return True
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest() != blob
