"""The names of the objects in a proposed repo: loose ones are file names, packed ones are in the indexes of packs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hivetui.engine.git.commands import is_hash
from hivetui.engine.git.untrusted import reading
from hivetui.engine.model.errors import BadData, NotFound

_SHORT = re.compile(r"[0-9a-f]{4,40}", re.ASCII)
_MAX_INDEX_BYTES = 4 << 20
"""The most bytes of pack indexes that are read to complete one short hash."""
_INDEX_HEAD = 8 + 1024


def complete(git: reading.Directory, short: str) -> set[str]:
    """The hashes of all objects that start with `short`; none unless that is 4 to 40 lower-case digits.

    BadData when the indexes of packs are of an unknown version, or too large to be read.
    """
    return set(_all(git, short)) if _SHORT.fullmatch(short) else set()


def is_missing(git: reading.Directory, name: str) -> bool:
    """Whether the repo certainly has no object with the full hash `name`; False where that cannot be read."""
    try:
        return not complete(git, name)
    except BadData:
        return False


def _all(git: reading.Directory, short: str) -> Iterator[str]:
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
