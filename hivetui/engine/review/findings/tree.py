"""The files of one side of a change, as far as they are read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

SUBMODULE, LINK, EXECUTABLE = "160000", "120000", "100755"


@dataclass(frozen=True)
class Blob:
    """One file: its mode and hash, and its content, or None and `why` it was not read."""

    path: str
    mode: str
    oid: str
    size: int = 0
    content: bytes | None = None
    why: str = ""

    @cached_property
    def is_binary(self) -> bool:
        """Whether git would take it for binary: a zero byte among the first 8000."""
        return self.content is not None and b"\0" in self.content[:8000]

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Its lines without line ends; bytes that are not UTF-8 are lone surrogates."""
        text = (self.content or b"").decode("utf-8", "surrogateescape")
        return tuple(line.removesuffix("\r") for line in text.split("\n"))


@dataclass(frozen=True)
class Tree:
    """One side: its files by path. `complete` says that every file that Nix could import is among them."""

    files: Mapping[str, Blob] = field(default_factory=dict)
    complete: bool = True

    @classmethod
    def of(cls, blobs: Iterable[Blob]) -> Tree:
        """The tree of these files."""
        return cls({blob.path: blob for blob in blobs})


@dataclass(frozen=True)
class Change:
    """A change from one tree to another. `moved` are the old paths of renamed files by their new ones.

    `messages` are those of its commits, `reverts` the titles of deployed commits that it does not contain, by id.
    """

    old: Tree
    new: Tree
    moved: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    reverts: Mapping[int, str] = field(default_factory=dict)

    def old_of(self, path: str) -> Blob | None:
        """The file on the old side that became `path`, None for a new one."""
        return self.old.files.get(self.moved.get(path, path))

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The paths on the new side whose content, mode or name is another."""
        return tuple(path for path, blob in self.new.files.items() if not _is_same(self.old.files.get(path), blob))

    @cached_property
    def removed(self) -> tuple[str, ...]:
        """The paths that are only on the old side; of a renamed file, the old one."""
        return tuple(path for path in self.old.files if path not in self.new.files)


def _is_same(old: Blob | None, new: Blob) -> bool:
    return old is not None and (old.oid, old.mode) == (new.oid, new.mode)
