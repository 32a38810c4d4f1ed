"""The difference between a proposal and its base: git's arguments, the base, and the stream of the unified diff."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData
from hivetui.engine.proposals.queries import find_proposal

TIMEOUT = 60.0
"""Seconds for one diff."""
MAX_CONTEXT_LINES = 1_000_000
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the hash of an empty tree in every git repo
_BASE = re.compile(r"[0-9a-f]{4,40}|(deployed|proposal|denied)/[0-9]{1,16}", re.ASCII)
_CONTENT_ONLY = ("--no-ext-diff", "--no-textconv", "--no-color", "--full-index", "-M", "-l200")


async def stream_difference(
    host: Host, number: int, base: str, context: int = 3, ignore_whitespace: bool = False
) -> AsyncGenerator[bytes, None]:
    """The unified diff from `base` to the proposal in chunks: git's exact bytes, not yet safe to show.

    Empty for a spawn request. Close the iterator to end git early.
    """
    proposal = await find_proposal(host, number)
    if proposal.commit is None:
        return
    applied = AppliedRepo(host, proposal.agent)
    base_commit = await resolve_base(applied, base)
    context_option = f"-U{min(max(context, 0), MAX_CONTEXT_LINES)}"
    whitespace_option = ("-w",) if ignore_whitespace else ()
    args = diff_tree_args("-p", "--text", context_option, *whitespace_option, base=base_commit, commit=proposal.commit)
    chunks = host.runner.stream(applied.git.command(*args, timeout=TIMEOUT))
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        await chunks.aclose()


def diff_tree_args(*options: str, base: str, commit: str) -> tuple[str, ...]:
    """The arguments of a `git diff-tree` that takes nothing but content from the two trees.

    `attr.tree` names an empty tree, because later versions of git read attributes from HEAD even in a bare repo.
    """
    config = ("-c", f"attr.tree={_EMPTY_TREE}", "-c", "core.quotePath=true")
    return (*config, "diff-tree", "-r", *options, *_CONTENT_ONLY, base, commit, "--")


def raw_difference_args(base: str, commit: str) -> tuple[str, ...]:
    """The arguments of a `git diff-tree` that lists modes and blobs of each changed path, and looks for no renames."""
    return ("diff-tree", "-r", "--raw", "-z", "--abbrev=40", "--no-renames", base, commit, "--")


def merge_tree_args(one: str, other: str) -> tuple[str, ...]:
    """The arguments of a `git merge-tree` of two commits, which writes objects, and no attribute of them is read."""
    config = ("-c", f"attr.tree={_EMPTY_TREE}", "-c", "merge.renameLimit=200")
    return (*config, "merge-tree", "--write-tree", "--no-messages", "--allow-unrelated-histories", one, other)


def diff_blobs_args(old: str, new: str) -> tuple[str, ...]:
    """The arguments of a `git diff` between two blobs, without context."""
    return ("-c", f"attr.tree={_EMPTY_TREE}", "diff", "-U0", "--text", *_CONTENT_ONLY, old, new, "--")


async def resolve_base(applied: AppliedRepo, base: str) -> str:
    """The commit in applied that `base` names: a hash of at least four digits, or a tag such as `deployed/3`."""
    commit = await applied.git.resolve(f"{base}^{{commit}}") if _BASE.fullmatch(base) else None
    if commit is None:
        raise BadData(
            f"Cannot compare with {base[:60]!r}",
            f"The applied repo of {applied.name} has no such commit or tag, or more than one.",
            "Name a complete hash, or a tag such as deployed/0.",
        )
    return commit
