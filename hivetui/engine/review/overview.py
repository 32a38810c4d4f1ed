"""Everything of a review except the difference itself: author, commits, changed files, deploys it would revert."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hivetui.engine import tool_messages
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError, OperationFailed
from hivetui.engine.model.proposals import FileChange, Proposal
from hivetui.engine.model.review import Commit, DeployedCommit, Review
from hivetui.engine.proposals.queries import find_proposal
from hivetui.engine.review import changed_files
from hivetui.engine.review.difference import TIMEOUT, diff_tree_args, resolve_base

MAX_COMMITS = 200
_AT_ONCE = 4
"""How many proposals are compared with their bases at once."""
_LIST_BYTES = 64 << 20  # enough for two full trees with the longest paths that the limits of a fetch allow


async def load_review(host: Host, number: int, base: str | None = None) -> Review:
    """The review of proposal `number` against `base`: by default `main`, or for a decided one the base of the decision.

    `base` is a hash of a commit in applied, or a tag such as `deployed/3`. NotFound when there is no such proposal,
    BadData when there is no such base.
    """
    with tool_messages.collected() as messages:
        review = await _load_review(host, number, base)
    return review.model_copy(update={"tool_messages": tuple(messages)})


async def _load_review(host: Host, number: int, base: str | None) -> Review:
    proposal = await find_proposal(host, number)
    if proposal.commit is None:
        return _spawn_review(proposal)
    applied = AppliedRepo(host, proposal.agent)
    base_commit = await resolve_base(applied, base) if base else proposal.base
    if base_commit is None:
        raise OperationFailed(f"{proposal.agent} has no main to compare with", "", f"hivetui repair {proposal.agent}")
    files, (commits, commit_count), reverts = await asyncio.gather(
        list_changed_files(applied, base_commit, proposal.commit),
        list_commits(applied, base_commit, proposal.commit),
        list_reverted(applied, proposal.base or base_commit, proposal.commit),
    )
    summary = applied.commit_summary(proposal.commit)
    return Review(
        proposal=proposal.model_copy(update={"base": base_commit, "files": files}),
        author=summary.author,
        authored_at=summary.authored_at,
        message=summary.message,
        commits=tuple(_commit(applied, commit) for commit in commits),
        commit_count=commit_count,
        reverts=reverts,
        files=files,
    )


async def add_files(host: Host, proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """The proposals with the files that each changes; None stays where that cannot be read."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def add(proposal: Proposal) -> Proposal:
        async with slots:
            return proposal.model_copy(update={"files": await _find_files(host, proposal)})

    return tuple(await asyncio.gather(*map(add, proposals)))


async def _find_files(host: Host, proposal: Proposal) -> tuple[FileChange, ...] | None:
    if proposal.commit is None:
        return ()
    if proposal.base is None:
        return None
    try:
        return await list_changed_files(AppliedRepo(host, proposal.agent), proposal.base, proposal.commit)
    except HiveError:  # one damaged repo does not hide the proposals of the others; `show` says what is wrong
        return None


async def list_changed_files(applied: AppliedRepo, base: str, commit: str) -> tuple[FileChange, ...]:
    """The paths that differ between two commits, with renames detected, and the sizes of their blobs."""
    args = diff_tree_args("--raw", "--numstat", "-z", "--abbrev=40", base=base, commit=commit)
    listing = await applied.git.run(*args, timeout=TIMEOUT, keep=_LIST_BYTES)
    changes = changed_files.parse_changes(listing.stdout)
    blobs = "".join(f"{blob}\n" for blob in changed_files.list_blobs(changes)).encode()
    if not blobs:
        return tuple(changes)
    sizes = await applied.git.run("cat-file", "--batch-check", stdin=blobs, keep=_LIST_BYTES)
    return changed_files.add_sizes(changes, changed_files.parse_sizes(sizes.stdout))


async def list_commits(applied: AppliedRepo, base: str, commit: str) -> tuple[list[str], int]:
    """The newest commits in the history of `commit` that are not in that of `base`, and the number of all of them."""
    revisions = (f"{base}..{commit}", "--")
    newest = await applied.git.run("rev-list", f"--max-count={MAX_COMMITS}", *revisions)
    commits = newest.text.split()
    if len(commits) < MAX_COMMITS:
        return commits, len(commits)
    return commits, int((await applied.git.run("rev-list", "--count", *revisions)).text)


def _commit(applied: AppliedRepo, commit: str) -> Commit:
    summary = applied.commit_summary(commit)
    return Commit(id=commit, author=summary.author, authored_at=summary.authored_at, message=summary.message)


async def list_reverted(applied: AppliedRepo, main: str, commit: str) -> tuple[DeployedCommit, ...]:
    """The deployed commits in the history of `main` but not of `commit`, newest first: a deploy of it reverts them.

    One that `main` does not contain either was reverted before, as by a rollback.
    """
    only_in_main = (f"--merged={main}", f"--no-merged={commit}")
    listing = await applied.git.run("for-each-ref", *only_in_main, "--format=%(refname:strip=3)", "refs/tags/deployed")
    ids = sorted((int(word) for word in listing.text.split() if word.isascii() and word.isdigit()), reverse=True)
    tags = ((number, applied.tag(f"deployed/{number}")) for number in ids)
    return tuple(
        DeployedCommit(id=number, commit=tag.commit, title=applied.commit_summary(tag.commit).title)
        for number, tag in tags
        if tag is not None
    )


def _spawn_review(proposal: Proposal) -> Review:
    """A spawn request has no commit; its description is all there is to review."""
    return Review(
        proposal=proposal.model_copy(update={"files": ()}),
        author=proposal.submitted_by,
        authored_at=proposal.submitted_at,
        message=proposal.description or proposal.title,
        commits=(),
        commit_count=0,
        reverts=(),
        files=(),
    )
