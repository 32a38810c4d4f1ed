"""Branches, tags and HEAD of a proposed repo, read without git: as loose files and in packed-refs.

Names follow git-check-ref-format(1), and are looked up as in gitrevisions(7). The files are in
gitrepository-layout(5). A name is a path below the repo, so it is checked before it is opened.
"""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from hivetui.engine.git.commands import is_hash
from hivetui.engine.git.untrusted import reading
from hivetui.engine.model.errors import BadData, NotFound

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|\Z)|[/.]\Z|\A[/.-]")
_VALUE = re.compile(r"([0-9a-fA-F]{40})(?:\s|\Z)", re.ASCII)
"""What git reads of a loose ref: anything may follow after a blank (refs/files-backend.c)."""
_SYMBOLIC = re.compile(r"ref:[ \t]*(\S[^\n]*)\n?\Z")
_PREFIXES = ("refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
_HEADS = "refs/heads/"
_MAX_PACKED_REFS = 4 << 20
_MAX_NAME = 255
"""Bytes of one part of a path, as in Linux: a longer one cannot be a file, and git does not write it either."""
_MAX_TAG = 64 << 10
"""Bytes of a tag object that are read, to find its commit."""
_MAX_LINKS = 5
_MAX_SHOWN = 10


class _Damaged(BadData):
    """A ref that holds neither a hash nor the name of another one."""


class _Ref(NamedTuple):
    """What a ref holds, and the commit of the tag object where packed-refs has it."""

    value: str
    peeled: str | None = None


def is_name(text: str) -> bool:
    """Whether git takes `text` as the name of a branch, or as a longer name of a ref (git-check-ref-format(1))."""
    parts = text.split("/")
    return bool(text) and not _FORBIDDEN.search(text) and all(len(_encode(part)) <= _MAX_NAME for part in parts)


def resolve(git: reading.Directory, text: str) -> set[str]:
    """The commits that the branch, tag or HEAD `text` may mean: none, one, or several when it is ambiguous.

    BadData for a tag whose commit cannot be read here, for a ref that is not a regular file, and for a damaged one,
    unless another one is meant too: git leaves a damaged one out then.
    """
    if text in ("HEAD", "@"):
        names = ["HEAD"]
    elif is_name(text):
        names = [*(prefix + text for prefix in _PREFIXES), f"refs/remotes/{text}/HEAD"]
        names += [text] * text.startswith("refs/")
    else:
        return set()
    refs, found, damaged = _Refs(git), set[str](), None
    for name in names:
        try:
            ref = refs.find(name)
        except _Damaged as error:
            damaged = error
        else:
            found |= {_commit(git, name, ref)} if ref is not None else set()
    if damaged is not None and not found:
        raise damaged
    return found


def resolve_ref(git: reading.Directory, name: str) -> str | None:
    """The hash in the ref with the full name `name`, None without it; BadData unless it is a regular file."""
    ref = _Refs(git).find(name)
    return None if ref is None else ref.value


def checked_out(git: reading.Directory) -> tuple[str, str | None]:
    """The branch that HEAD names, "" for none, and the commit of HEAD, None for none."""
    refs = _Refs(git)
    target, head = refs.target("HEAD"), refs.find("HEAD")
    return target.removeprefix(_HEADS) if target.startswith(_HEADS) else "", None if head is None else head.value


def branches(git: reading.Directory) -> tuple[str, ...]:
    """The names of some branches, to be shown; those in directories only when they are packed."""
    names = {name.removeprefix(_HEADS) for name in _Refs(git).packed if name.startswith(_HEADS)}
    with suppress(NotFound), git.inside("refs", "heads") as heads:
        names |= {name for name, _ in heads.entries() if heads.holds_file(name)}
    return tuple(sorted(name for name in names if is_name(name) and name.isprintable())[:_MAX_SHOWN])


class _Refs:
    """The refs of one repo; packed-refs is read once, and only after a loose ref was looked for."""

    def __init__(self, git: reading.Directory) -> None:
        self._git = git

    def find(self, name: str, follow: int = _MAX_LINKS) -> _Ref | None:
        """A ref by its full name, or HEAD; a symbolic one is followed among refs."""
        text = self._read_loose(name)
        if text is None:
            return self.packed.get(name)
        if (value := _VALUE.match(text)) and value[1].strip("0"):
            return _Ref(value[1].lower())
        if not _SYMBOLIC.match(text):
            why = "it should hold a hash; a power cut can leave it empty"
            fix = "Find the commit in the container, with git reflog or git fsck, and write its hash there."
            raise _Damaged(f"{self._git.shown}/{name} is damaged", why, fix)
        target = _target(text)
        return self.find(target, follow - 1) if follow and target else None

    def target(self, name: str) -> str:
        """The full name of the ref that a symbolic ref names, "" if it is none."""
        return _target(self._read_loose(name) or "")

    def _read_loose(self, name: str) -> str | None:
        path = name.split("/")
        try:
            return _decode(self._git.read(*path, most=4096)) if self._git.holds_file(*path) else None
        except NotFound:  # git has packed it meanwhile
            return None

    @cached_property
    def packed(self) -> dict[str, _Ref]:
        """Every ref in packed-refs: lines of "HASH NAME", each maybe with a line "^HASH" of the commit of its tag."""
        try:
            raw = self._git.read("packed-refs", most=_MAX_PACKED_REFS + 1)
        except NotFound:
            return {}
        if len(raw) > _MAX_PACKED_REFS:
            limit = f"at most {_MAX_PACKED_REFS >> 20} MiB are read"
            raise BadData(f"{self._git.shown}/packed-refs is too long", limit, "Give the full hash.")
        found: dict[str, _Ref] = {}
        name = ""
        for line in _decode(raw).split("\n"):  # not splitlines(): U+2028 and its like may be in a name
            if line.startswith("^") and name in found:
                found[name] = found[name]._replace(peeled=line[1:] if is_hash(line[1:]) else None)
                continue
            value, _, name = line.partition(" ")
            if is_hash(value):
                found.setdefault(name, _Ref(value))
        return found


def _target(text: str) -> str:
    link = _SYMBOLIC.match(text)
    target = link[1].rstrip() if link else ""
    return target if target.startswith("refs/") and is_name(target) else ""


def _commit(git: reading.Directory, name: str, ref: _Ref) -> str:
    """The commit of a ref: what an annotated tag points at, else its value. The fetch checks that it is a commit."""
    if ref.peeled or not name.startswith("refs/tags/"):
        return ref.peeled or ref.value
    value = ref.value
    for _ in range(_MAX_LINKS):  # a tag may be on a tag
        kind, body = _loose_object(git, value)
        if kind != b"tag":
            return value
        match = re.match(rb"object ([0-9a-f]{40})\ntype (commit|tag)\n", body)
        if match is None:
            break
        value = match[1].decode("ascii")
        if match[2] == b"commit":
            return value
    short = name.removeprefix("refs/tags/")
    raise BadData(
        f"The tag {short} is not on a commit", "only a commit can be deployed", "Submit a commit, branch or other tag."
    )


def _loose_object(git: reading.Directory, name: str) -> tuple[bytes, bytes]:
    """Type and beginning of a loose object (zlib of "TYPE SIZE", a NUL and the content); empty where there is none."""
    try:
        compressed = git.read("objects", name[:2], name[2:], most=_MAX_TAG)
        plain = zlib.decompressobj().decompress(compressed, _MAX_TAG)
    except (NotFound, zlib.error):
        return b"", b""
    head, _, body = plain.partition(b"\0")
    return head.partition(b" ")[0], body


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
