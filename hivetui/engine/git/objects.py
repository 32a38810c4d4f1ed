"""Reads objects and refs of a repo that the engine made, without a process.

The layout is that of gitrepository-layout(5). Loose objects and refs are read here; packs by dulwich, which is imported
only when an object is packed. It is given a directory of objects, so that it reads no configuration.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from hivetui.engine.git.commands import is_hash
from hivetui.engine.model.errors import OperationFailed

MAX_SIZE = 16 << 20
"""Bytes of the largest object that is read here: commits, tags, and the two files of meta; never what was proposed."""

_TYPES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}  # gitformat-pack(5)


def read(git_dir: Path, name: str) -> tuple[str, bytes]:
    """The type ("commit", "tree", "blob" or "tag") and the content of the object with the full hash `name`.

    OperationFailed when it is missing, damaged (its hash is another) or larger than LARGEST.
    """
    if not is_hash(name):
        raise _unreadable(git_dir, name, "this is not an object name; its ref is empty or was written by hand")
    kind, content = _read_loose(git_dir, name) or _read_packed(git_dir, name)
    if len(content) > MAX_SIZE:
        raise _unreadable(git_dir, name, f"it is larger than {MAX_SIZE} bytes")
    # git-hash-object(1): the name is the SHA-1 of "TYPE SIZE", a NUL and the content.
    header = f"{kind} {len(content)}\0".encode()
    if hashlib.sha1(header + content, usedforsecurity=False).hexdigest() != name:
        raise _unreadable(git_dir, name, "its content does not have this hash")
    return kind, content


def exists(git_dir: Path, name: str) -> bool:
    """Whether there is such an object that can be read."""
    try:
        read(git_dir, name)
    except OperationFailed:
        return False
    return True


def _read_loose(git_dir: Path, name: str) -> tuple[str, bytes] | None:
    """Type and content of a loose object, which is zlib of "TYPE SIZE", a NUL and the content; None without it."""
    try:
        compressed = (git_dir / "objects" / name[:2] / name[2:]).read_bytes()
        plain = zlib.decompressobj().decompress(compressed, MAX_SIZE + 32)
    except FileNotFoundError:
        return None
    except (OSError, zlib.error) as error:
        raise _unreadable(git_dir, name, str(error)) from error
    header, _, content = plain.partition(b"\0")
    return header.partition(b" ")[0].decode("ascii", "surrogateescape"), content


def _read_packed(git_dir: Path, name: str) -> tuple[str, bytes]:
    # Imported here because it takes 20 ms, and an agent's tags, which the first frame waits for, are loose.
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import ObjectID

    try:
        with closing(DiskObjectStore(str(git_dir / "objects"))) as store:
            number, content = store.get_raw(ObjectID(name.encode("ascii")))
    except KeyError as error:
        raise _unreadable(git_dir, name, "no such object") from error
    except Exception as error:  # a damaged pack raises whatever its parser meets, struct.error for example
        raise _unreadable(git_dir, name, f"{type(error).__name__}: {error}") from error
    return _TYPES.get(number, "unknown"), content


def _unreadable(git_dir: Path, name: str, why: str) -> OperationFailed:
    what = f"Object {name[:60]!r} is missing in {git_dir}, or damaged"
    return OperationFailed(what, why, f"Look at it with: git -C {git_dir} fsck")


@lru_cache(maxsize=32)
def file_at(git_dir: Path, commit: str, name: str) -> bytes:
    """The content of a file at the top level of a commit's tree; empty when there is no such file."""
    blob = blob_at(git_dir, commit, name)
    return read(git_dir, blob)[1] if blob else b""


def blob_at(git_dir: Path, commit: str, name: str) -> str | None:
    """The hash of a file at the top level of a commit's tree, None when there is no such file."""
    return _tree_entries(read(git_dir, tree_of(git_dir, commit))[1]).get(name)


def tree_of(git_dir: Path, commit: str) -> str:
    """The hash of a commit's tree."""
    kind, content = read(git_dir, commit)
    if kind != "commit":
        raise _unreadable(git_dir, commit, f"it is a {kind}, and a commit was expected")
    return content.partition(b"\n")[0].removeprefix(b"tree ").decode("ascii")


def _tree_entries(tree: bytes) -> dict[str, str]:
    """The hashes of a tree object's entries by name; an entry is "MODE NAME", a NUL and 20 bytes of hash."""
    hashes = {}
    while tree:
        entry, _, rest = tree.partition(b"\0")
        hashes[entry.partition(b" ")[2].decode("utf-8", "surrogateescape")] = rest[:20].hex()
        tree = rest[20:]
    return hashes


def refs(git_dir: Path, prefix: str) -> dict[str, str]:
    """The hash of every ref below `prefix` ("refs/tags"), by its full name.

    Loose refs are read before packed ones: a ref that git packs meanwhile is then seen in at least one place.
    """
    loose = dict(_loose_refs(git_dir, prefix))
    return dict(_packed_refs(git_dir, prefix)) | loose


def ref(git_dir: Path, name: str) -> str | None:
    """The hash in the ref `name` ("refs/heads/main"), None when there is no such ref."""
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
        elif not entry.name.endswith(".lock") and (value := _read_ref(Path(entry.path))) is not None:
            yield name, value


def _read_ref(path: Path) -> str | None:
    """The content of a loose ref, None when it has just been packed or deleted."""
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
    """The refs of a packed-refs file. Git always replaces it, so its inode, size and time identify its content."""
    lines = path.read_text("utf-8", "surrogateescape").split("\n")  # not splitlines(): U+2028 may be in a name
    return tuple(line for line in lines if line[:1] not in ("#", "^"))
