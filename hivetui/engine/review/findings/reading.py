"""Reads both sides of a change from applied: listings of the trees, and the content of what rules look at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.decoding import decode
from hivetui.engine.review.difference import TIMEOUT, diff_tree_args
from hivetui.engine.review.findings.budget import MAX_BYTES, MAX_FILE, MAX_FILES
from hivetui.engine.review.findings.tree import SUBMODULE, Blob, Change, Tree
from hivetui.engine.review.overview import list_commits, list_reverted

_LIST_BYTES = 64 << 20
_ALWAYS_READ = (".nix", ".json", ".toml")
"""What a module can be made of: read on both sides, changed or not."""


async def read_change(applied: AppliedRepo, base: str, commit: str, main: str, description: str) -> Change:
    """The change from `base` to `commit`; `main` is what runs, whose deployed commits it may revert."""
    old, new, moved, reverts, messages = await asyncio.gather(
        _list_tree(applied, base),
        _list_tree(applied, commit),
        _list_moved(applied, base, commit),
        list_reverted(applied, main, commit),
        _list_messages(applied, base, commit),
    )
    change = Change(old, new, moved, (*messages, description), {deployed.id: deployed.title for deployed in reverts})
    contents = await _read_blobs(applied, _wanted(change))
    return replace(change, old=_filled(old, contents), new=_filled(new, contents))


async def _list_tree(applied: AppliedRepo, commit: str) -> Tree:
    listing = await applied.git.run(
        "ls-tree", "-r", "-l", "-z", "--full-tree", commit, timeout=TIMEOUT, keep=_LIST_BYTES
    )
    blobs = [_parse(record) for record in listing.stdout.split(b"\0")[:-1]]
    tree = Tree.of(blobs[:MAX_FILES])
    return tree if len(blobs) <= MAX_FILES else replace(tree, complete=False)


def _parse(record: bytes) -> Blob:
    """One record of `ls-tree -l -z`: "mode type hash size TAB path", with "-" as the size of a submodule."""
    fields, _, path = record.partition(b"\t")
    mode, _, oid, size = fields.decode("ascii").split()
    return Blob(decode(path), mode, oid, 0 if size == "-" else int(size))


async def _list_moved(applied: AppliedRepo, base: str, commit: str) -> dict[str, str]:
    """The old paths of renamed files by their new ones."""
    args = diff_tree_args("--name-status", "-z", base=base, commit=commit)
    listing = await applied.git.run(*args, timeout=TIMEOUT, keep=_LIST_BYTES)
    parts, moved = iter(listing.stdout.split(b"\0")[:-1]), {}
    for status in parts:
        path = next(parts, b"")
        if status[:1] in (b"R", b"C"):
            target = next(parts, b"")
            if status[:1] == b"R":
                moved[decode(target)] = decode(path)
    return moved


async def _list_messages(applied: AppliedRepo, base: str, commit: str) -> tuple[str, ...]:
    commits, _ = await list_commits(applied, base, commit)
    return tuple(applied.commit_summary(one).message for one in commits)


def _wanted(change: Change) -> Mapping[str, int]:
    """The sizes of the blobs to read: what is changed, and everything that modules are made of."""
    sides = (*((change.new, path) for path in change.changed), *((change.old, path) for path in change.removed))
    blobs = [tree.files[path] for tree, path in sides]
    blobs += [old for path in change.changed if (old := change.old_of(path)) is not None]
    blobs += [
        blob for tree in (change.new, change.old) for path, blob in tree.files.items() if path.endswith(_ALWAYS_READ)
    ]
    return {blob.oid: blob.size for blob in blobs if blob.mode != SUBMODULE}


async def _read_blobs(applied: AppliedRepo, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """The contents by hash, without those that are too large and those above MAX_BYTES in all."""
    chosen, total = [], 0
    for oid, size in wanted.items():
        if size <= MAX_FILE and total + size <= MAX_BYTES:
            chosen.append(oid)
            total += size
    if not chosen:
        return {}
    names = "".join(f"{oid}\n" for oid in chosen).encode()
    keep = total + 200 * len(chosen)
    completed = await applied.git.run("cat-file", "--batch", stdin=names, timeout=TIMEOUT, keep=keep)
    return dict(_contents(completed.stdout))


def _contents(output: bytes) -> Iterator[tuple[str, bytes]]:
    """Hash and content of each blob in the output of `cat-file --batch`: "hash type size LF content LF"."""
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        fields = output[at:end].split()
        if len(fields) != 3:  # "hash missing"
            at = end + 1
            continue
        size = int(fields[2])
        yield fields[0].decode("ascii"), output[end + 1 : end + 1 + size]
        at = end + size + 2


def _filled(tree: Tree, contents: Mapping[str, bytes]) -> Tree:
    return replace(tree, files=dict(_fill(tree.files.items(), contents)))


def _fill(files: Iterable[tuple[str, Blob]], contents: Mapping[str, bytes]) -> Iterator[tuple[str, Blob]]:
    for path, blob in files:
        if blob.oid in contents:
            yield path, replace(blob, content=contents[blob.oid])
        elif blob.size > MAX_FILE:
            yield path, replace(blob, why=f"it is larger than {MAX_FILE >> 20} MiB")
        else:
            yield path, replace(blob, why=f"the files are larger than {MAX_BYTES >> 20} MiB in all")
