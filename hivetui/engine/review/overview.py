"""What an operator reads before deciding: who wrote what, which files, what it takes back, and the difference.

All of it is made in applied, between two trees, with attributes, external programs, conversions and colours off: what
a proposal contains changes nothing about how it is shown. `files` reads git's lists, `stream` hands the patch out.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, OperationFailed
from hivetui.engine.model.proposals import FileChange, Proposal
from hivetui.engine.model.review import Commit, DeployedCommit, Review
from hivetui.engine.proposals.queries import find_proposal
from hivetui.engine.review import changed_files

MAX_COMMITS = 200
MAX_CONTEXT_LINES = 1_000_000
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the hash of a tree of nothing
_BASE = re.compile(r"[0-9a-f]{4,40}|(deployed|proposal|denied)/[0-9]{1,16}", re.ASCII)
_LIST_BYTES = 64 << 20  # two full trees of the longest paths that the limits of a fetch let in fit
_TIMEOUT = 60.0
_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--full-index", "-M", "-l200")


async def load_review(host: Host, number: int, base: str | None = None) -> Review:
    """All of a review but the difference: of proposal `number` against `base` (what runs, or what it was decided by).

    `base` is a hash of applied, or a tag as `deployed/3`. NotFound without the proposal, BadData without the base.
    """
    proposal = await find_proposal(host, number)
    if proposal.commit is None:
        return _of_spawn(proposal)
    applied = AppliedRepo(host, proposal.agent)
    against = await _base(applied, base) if base else proposal.base
    if against is None:
        raise OperationFailed(f"{proposal.agent} has no main to compare with", "", f"hivetui repair {proposal.agent}")
    changed = await _changed(applied, against, proposal.commit)
    summary = applied.commit_summary(proposal.commit)
    ids, count = await _between(applied, against, proposal.commit)
    return Review(
        proposal=proposal.model_copy(update={"base": against, "files": changed}),
        author=summary.author,
        authored_at=summary.authored_at,
        message=summary.message,
        commits=tuple(_commit(applied, name) for name in ids),
        commit_count=count,
        taken_back=await _taken_back(applied, proposal.commit),
        files=changed,
    )


async def stream_difference(
    host: Host, number: int, base: str, context: int = 3, ignore_whitespace: bool = False
) -> AsyncGenerator[bytes, None]:
    """The unified diff from `base` to the proposal in chunks; exact bytes, not yet safe to show.

    A spawn request has none. Close the iterator to end it early.
    """
    proposal = await find_proposal(host, number)
    if proposal.commit is None:
        return
    applied = AppliedRepo(host, proposal.agent)
    against = await _base(applied, base)
    whitespace = ("-w",) if ignore_whitespace else ()
    lines = f"-U{min(max(context, 0), MAX_CONTEXT_LINES)}"
    args = ("-r", "-p", "--text", *_PLAIN, lines, *whitespace, against, proposal.commit, "--")
    source = host.runner.stream(applied.git.command(*_without_attributes(*args), timeout=_TIMEOUT))
    try:
        async for chunk in source:
            yield chunk
    finally:
        await source.aclose()


def _without_attributes(*args: str) -> tuple[str, ...]:
    """diff-tree that takes no attributes from any tree: later versions of git do so even in a bare repo."""
    return ("-c", f"attr.tree={_EMPTY_TREE}", "-c", "core.quotePath=true", "diff-tree", *args)


async def _base(applied: AppliedRepo, base: str) -> str:
    """The commit of applied that `base` names."""
    found = await applied.git.resolve(f"{base}^{{commit}}") if _BASE.fullmatch(base) else None
    if found is None:
        raise BadData(
            f"{base[:60]!r} is nothing to compare with",
            f"{applied.name} has no such commit or tag in its applied repo, or more than one.",
            "Name a whole hash, or a tag such as deployed/0.",
        )
    return found


async def _changed(applied: AppliedRepo, base: str, commit: str) -> tuple[FileChange, ...]:
    args = ("-r", "--raw", "--numstat", "-z", "--abbrev=40", *_PLAIN, base, commit, "--")
    listed = await applied.git.run(*_without_attributes(*args), timeout=_TIMEOUT, keep=_LIST_BYTES)
    changes = changed_files.parse_changes(listed.stdout)
    asked = "".join(f"{blob}\n" for blob in changed_files.blobs(changes)).encode()
    if not asked:
        return tuple(changes)
    told = await applied.git.run("cat-file", "--batch-check", stdin=asked, keep=_LIST_BYTES)
    return changed_files.add_sizes(changes, changed_files.parse_sizes(told.stdout))


async def _between(applied: AppliedRepo, base: str, commit: str) -> tuple[list[str], int]:
    """The newest commits that `commit` has and `base` has not, and how many there are."""
    span = (f"{base}..{commit}", "--")
    newest = await applied.git.run("rev-list", f"--max-count={MAX_COMMITS}", *span)
    ids = newest.text.split()
    if len(ids) < MAX_COMMITS:
        return ids, len(ids)
    return ids, int((await applied.git.run("rev-list", "--count", *span)).text)


def _commit(applied: AppliedRepo, name: str) -> Commit:
    summary = applied.commit_summary(name)
    return Commit(id=name, author=summary.author, authored_at=summary.authored_at, message=summary.message)


async def _taken_back(applied: AppliedRepo, commit: str) -> tuple[DeployedCommit, ...]:
    """What was deployed once and is not in the history of `commit`, newest first."""
    listed = await applied.git.run(
        "for-each-ref", f"--no-merged={commit}", "--format=%(refname:strip=3)", "refs/tags/deployed"
    )
    ids = sorted((int(word) for word in listed.text.split() if word.isascii() and word.isdigit()), reverse=True)
    found = ((number, applied.tag(f"deployed/{number}")) for number in ids)
    return tuple(
        DeployedCommit(id=number, commit=tag.commit, title=applied.commit_summary(tag.commit).title)
        for number, tag in found
        if tag is not None
    )


def _of_spawn(proposal: Proposal) -> Review:
    """A spawn request has no commit: its words are all there is."""
    return Review(
        proposal=proposal,
        author=proposal.submitted_by,
        authored_at=proposal.submitted_at,
        message=proposal.description or proposal.title,
        commits=(),
        commit_count=0,
        taken_back=(),
        files=(),
    )
