"""Objects and refs of a repo that the engine made, read without a process.

A hundred agents are listed by this in well under a second. Loose objects are read here; packed ones by gitdb, the
object database that GitPython brings, which is imported only when one is met.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from hivetui.engine.git.commands import is_hash
from hivetui.engine.model.errors import OperationFailed

LARGEST = 16 << 20
"""Bytes of the largest object that is read here: commits, tags, and the two files of meta; never what was proposed."""


def read(git_dir: Path, name: str) -> tuple[str, bytes]:
    """The type ("commit", "tag" ...) and the bytes of the object with the full hash `name`; OperationFailed."""
    if not is_hash(name):
        raise _unreadable(git_dir, name, "that is no name of an object; its ref was emptied, or made by hand")
    try:
        raw = (git_dir / "objects" / name[:2] / name[2:]).read_bytes()
    except FileNotFoundError:
        return _packed(git_dir, name)
    try:
        plain = zlib.decompressobj().decompress(raw, LARGEST)
    except zlib.error as error:
        raise _unreadable(git_dir, name, str(error)) from error
    header, _, body = plain.partition(b"\0")
    return header.split(b" ")[0].decode("ascii", "replace"), body


@lru_cache(maxsize=32)
def file_at(git_dir: Path, commit: str, name: str) -> bytes:
    """The content of a file at the top of a commit's tree; nothing when it is not there."""
    head_line = read(git_dir, commit)[1].partition(b"\n")[0]
    tree = read(git_dir, head_line.removeprefix(b"tree ").decode("ascii"))[1]
    blob = _entries(tree).get(name)
    return read(git_dir, blob)[1] if blob else b""


def _entries(tree: bytes) -> dict[str, str]:
    """The names in a tree object with the hashes of what they name (git's format: mode, name, NUL, 20 bytes)."""
    found = {}
    while tree:
        entry, _, rest = tree.partition(b"\0")
        found[entry.partition(b" ")[2].decode("utf-8", "replace")] = rest[:20].hex()
        tree = rest[20:]
    return found


def _packed(git_dir: Path, name: str) -> tuple[str, bytes]:
    from gitdb import GitDB  # type: ignore[import-untyped]
    from gitdb.exc import BadObject, ODBError  # type: ignore[import-untyped]

    try:
        stream = GitDB(str(git_dir / "objects")).stream(bytes.fromhex(name))
    except (BadObject, ODBError) as error:
        raise _unreadable(git_dir, name, type(error).__name__) from error
    return stream.type.decode("ascii"), stream.read(LARGEST)


def _unreadable(git_dir: Path, name: str, why: str) -> OperationFailed:
    what = f"Object {name[:60]!r} is missing in {git_dir}, or damaged"
    return OperationFailed(what, why, f"Look at it with: git -C {git_dir} fsck")


def refs(git_dir: Path, prefix: str) -> dict[str, str]:
    """Every ref below `prefix` ("refs/tags") by its whole name, with the hash that it holds.

    Loose ones are read before the packed ones, since that is the way a ref goes when they are packed meanwhile.
    """
    loose = dict(_loose_refs(git_dir, prefix))
    return dict(_packed_refs(git_dir, prefix)) | loose


def ref(git_dir: Path, name: str) -> str | None:
    """The hash that the ref `name` ("refs/heads/main") holds, or None."""
    try:
        return (git_dir / name).read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return dict(_packed_refs(git_dir, name.rpartition("/")[0])).get(name)


def _loose_refs(git_dir: Path, prefix: str) -> Iterator[tuple[str, str]]:
    try:
        entries = list(os.scandir(git_dir / prefix))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        name = f"{prefix}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _loose_refs(git_dir, name)
        elif not entry.name.endswith(".lock") and (value := ref_file(Path(entry.path))) is not None:
            yield name, value


def ref_file(path: Path) -> str | None:
    """What a loose ref holds, None when it has just gone (packed or deleted)."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return None


def _packed_refs(git_dir: Path, prefix: str) -> Iterator[tuple[str, str]]:
    path = git_dir / "packed-refs"
    try:
        stat = path.stat()
    except FileNotFoundError:
        return
    for line in _packed_lines(path, stat.st_mtime_ns, stat.st_ino, stat.st_size):
        value, _, name = line.partition(" ")
        if name.startswith(prefix + "/"):
            yield name, value


@lru_cache(maxsize=256)
def _packed_lines(path: Path, _changed: int, _inode: int, _size: int) -> tuple[str, ...]:
    """The lines of a packed-refs file; it is only ever replaced whole, so inode, size and time tell its content."""
    lines = path.read_text("utf-8", "replace").splitlines()
    return tuple(line for line in lines if line[:1] not in ("#", "^"))
