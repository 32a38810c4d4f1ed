"""What the work tree of a proposed repo has that a commit has not, for a hint to whoever submits it.

Nothing of the repo is run or followed: regular files are read, and compared by their hashes with those of the commit in
the applied repo. A file that git would convert (line endings, filters) may therefore be named although it is committed.
"""

from __future__ import annotations

import asyncio
import hashlib
import stat
from collections.abc import Iterator, Mapping

from hivetui.engine.git.commands import Git
from hivetui.engine.git.untrusted import reading
from hivetui.engine.git.untrusted.reading import Directory
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError

_MAX_FILES = 200
_MAX_BYTES = 1 << 20  # of one file
_MAX_NAMED = 20
_MAX_ENTRIES, _MAX_DEPTH = 2000, 16  # of the work tree that are looked at for new files
_REGULAR = ("100644", "100755")


async def uncommitted_files(host: Host, name: str, commit: str) -> tuple[str, ...]:
    """The files of the commit that differ in the work tree of `name`, and new .nix files; at most 20.

    Empty when that cannot be seen: in a repo without a work tree, or of more than 200 files.
    """
    try:
        listed = await Git(host, host.paths.applied_git(name)).run("ls-tree", "-r", "-z", commit)
        blobs = {path: (mode, blob) for mode, blob, path in _entries(listed.text)}
        if len(blobs) > _MAX_FILES:
            return ()
        return await asyncio.to_thread(_compare, host, name, blobs)
    except HiveError:
        return ()


def _entries(listed: str) -> Iterator[tuple[str, str, str]]:
    """Mode, hash and path of each record of `ls-tree -z`."""
    for record in filter(None, listed.split("\0")):
        head, _, path = record.partition("\t")
        mode, _, blob = head.split(" ")
        yield mode, blob, path


def _compare(host: Host, name: str, blobs: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    with reading.open_directory(host.paths.proposed(name)) as tree:
        changed = [path for path, (mode, blob) in blobs.items() if mode in _REGULAR and _differs(tree, path, blob)]
        added = sorted(path for path in _nix_files(tree) if path not in blobs)
    return tuple((*changed, *added)[:_MAX_NAMED])


def _nix_files(tree: Directory) -> Iterator[str]:
    """The .nix files of the work tree, the upper directories first; not those in hidden directories, as .git is."""
    waiting, seen = [""], 0
    while waiting and seen < _MAX_ENTRIES:
        folder = waiting.pop(0)
        try:
            with tree.inside(*folder.split("/")[:-1]) as directory:
                entries = sorted(directory.entries())
        except HiveError:  # gone, replaced by a link, or too large
            continue
        seen += len(entries)
        for name, status in entries:
            if stat.S_ISDIR(status.st_mode) and not name.startswith(".") and folder.count("/") < _MAX_DEPTH:
                waiting.append(f"{folder}{name}/")
            elif name.endswith(".nix"):
                yield folder + name


def _differs(tree: Directory, path: str, blob: str) -> bool:
    try:
        content = tree.read(*path.split("/"), most=_MAX_BYTES + 1)
    except HiveError:  # there is no such file, or something else in its place
        return True
    is_whole = len(content) <= _MAX_BYTES
    return (
        is_whole and hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest() != blob
    )
