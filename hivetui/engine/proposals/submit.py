"""New proposals: `proposal/<id>` on a fetched commit of the agent's proposed repo, or a request for a new agent."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hivetui.engine.events.journal import publish
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.untrusted import jail, proposed, work_tree
from hivetui.engine.host import ids, locks
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.errors import BadData, Busy, NotFound, OperationFailed, TryAgain
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals.denials import build_proposal
from hivetui.engine.proposals.tag_messages import (
    MAX_TITLE_CHARS,
    Submitted,
    base64_of_undecodable,
    clean_text,
    escape_undecodable,
    format_message,
)
from hivetui.engine.proposals.tags import MetaTagStore, highest_id, list_tags, load_tags, unknown_proposal

_LOCK_TIMEOUT = 10.0  # seconds; a decision holds the lock for a few git commands


async def decision_lock(host: Host, agent: str, holder: str) -> locks.Lock:
    """The lock under which proposals of one agent are submitted and decided; Busy when it is held for too long.

    It is separate from the agent's lock, which a deploy holds while it builds: a proposal can be denied meanwhile.
    Whoever needs both takes the agent's lock first.
    """
    try:
        return await locks.wait_for(decision_lock_path(host, agent), holder, _LOCK_TIMEOUT)
    except Busy as busy:
        raise Busy(f"Another decision about {agent} is in progress", busy.why, busy.fix) from busy


def decision_lock_path(host: Host, agent: str) -> Path:
    """The file of an agent's decision lock."""
    return host.paths.locks / f"decision-{names.check(agent)}"


async def submit(host: Host, agent: str, commit: str | None, text: str, operator: Operator) -> Proposal:
    """Make `commit` of the proposed repo (its main when None) a new proposal; `text` describes it to people.

    Its title is the subject of the commit: that is what the commit will be called in every history.
    NotFound when there is no such agent; BadData for a commit that cannot be fetched or is too large, and for one that
    is already pending or deployed; TryAgain when too many are pending.
    """
    applied = require_layout(host, agent)
    description = clean_text(text, "description")
    jail.require(host)
    is_newest = commit is None
    with _explain_missing_repo(agent):
        commit = await proposed.resolve(host, agent, commit)
        await _require_change(host, applied, commit)
        await _require_not_pending(host, applied, commit, is_newest)  # before the fetch, which is expensive
        await proposed.fetch(host, agent, commit)
    uncommitted = await work_tree.uncommitted_files(host, agent, commit) if is_newest else None
    said = applied.commit_summary(commit)
    title = said.title if said.message.strip() else description.partition("\n")[0] or said.title
    with await decision_lock(host, agent, "submit"):
        await _require_change(host, applied, commit)
        check_pending(host, applied, agent, commit)
        kind = ProposalKind.DEPLOY
        proposal = await pin_proposal(host, applied, agent, kind, commit, title, description, operator)
    return proposal.model_copy(update={"uncommitted": uncommitted})


async def _require_change(host: Host, applied: AppliedRepo, commit: str) -> None:
    """BadData when `commit` is what is deployed: a proposal of it would change nothing."""
    if commit == applied.main():
        why, fix = await _find_beside(host, applied.name, commit)
        why = why or "; what is not committed is not part of a proposal."
        fix = fix or f"Commit a change in /agents/{applied.name}/config first."
        raise BadData(
            f"Commit {commit[:12]} of {applied.name} is already deployed",
            f"A proposal of it would change nothing{why}",
            f"{fix} To build the same commit again: hivetui rebuild {applied.name}",
        )


async def _require_not_pending(host: Host, applied: AppliedRepo, commit: str, is_newest: bool) -> None:
    """As check_pending; for the newest commit the error names what the proposed repo has beside it."""
    try:
        check_pending(host, applied, applied.name, commit)
    except BadData as error:
        why, fix = await _find_beside(host, applied.name, commit) if is_newest else ("", "")
        if not why:
            raise
        raise BadData(error.what, f"{error.why.removesuffix('.')}{why}", f"{fix} {error.fix}") from error


@contextmanager
def _explain_missing_repo(agent: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        made = f"git clone /applied/{agent}/.git /agents/{agent}/config"
        fix = f"Make it anew in the manager's container, in place of what is left of it: {made}"
        raise NotFound(error.what, f"The proposed repo of {agent} is gone, or a part of it.", fix) from error


async def _find_beside(host: Host, agent: str, commit: str) -> tuple[str, str]:
    """What the proposed repo has that `commit` has not, as the end of a sentence, and how it becomes a proposal."""
    branch, head = proposed.checked_out(host, agent)
    if head is not None and head != commit:
        place = f"{branch} at {head[:12]}" if branch else f"commit {head[:12]}"
        fix = f"To propose what is checked out: hivetui submit {agent} {shlex.quote(branch or head[:12])}."
        return f", but {place} is checked out.", fix
    files = await work_tree.uncommitted_files(host, agent, commit)
    if not files:
        return "", ""
    why = f"; what is not committed is not part of a proposal. Not committed: {', '.join(files)}."
    return why, f"Commit it in /agents/{agent}/config first."


async def request_spawn(host: Host, agent: str, text: str, operator: Operator, retry_of: int | None = None) -> Proposal:
    """Request a new agent; NotFound without a meta repo, BadData when the agent exists or is already requested.

    `retry_of` is the id of the request that this one repeats.
    """
    names.check_new(agent)
    description = clean_text(text, "description")
    meta = MetaTagStore(host)
    head = meta.main()
    if head is None:
        raise NotFound(
            "There is no meta repo yet",
            "It stores the spawn requests.",
            "Spawn the first agent directly: hivetui spawn hm1nd",
        )
    if host.paths.conf(agent).exists():
        raise BadData(f"{agent} already has a container", "A spawn creates a new agent.", "Choose another name.")
    with await decision_lock(host, agent, "request spawn"):
        check_pending(host, meta, agent, None)
        title = description.partition("\n")[0] or f"Spawn {agent}"
        return await pin_proposal(host, meta, agent, ProposalKind.SPAWN, head, title, description, operator, retry_of)


def require_layout(host: Host, agent: str) -> AppliedRepo:
    """The applied repo of an agent; NotFound without one, BadData when it has an older layout or a damaged main."""
    applied = AppliedRepo(host, agent)
    if not applied.exists():
        raise NotFound(
            f"There is no agent {agent}, or it was never spawned",
            f"It has no applied repo at {applied.folder}.",
            f"List the agents with: hivetui agents. Create it with: hivetui spawn {agent}",
        )
    if not applied.has_layout():
        raise applied.layout_refusal()
    applied.require_main()
    return applied


async def pin_proposal(
    host: Host,
    store: AppliedRepo,
    agent: str,
    kind: ProposalKind,
    commit: str,
    title: str,
    description: str,
    operator: Operator,
    retry_of: int | None = None,
) -> Proposal:
    """Create `proposal/<id>` with a new id and publish it; the caller holds the agent's decision lock.

    The tag also pins the commit: git does not garbage-collect it as long as the tag exists.
    """
    number = ids.next_id(host.paths, "proposal", highest_id(host) + 1)
    title = _shorten(title)
    record = Submitted(
        at=host.clock(),
        operator=escape_undecodable(operator.name),
        source=escape_undecodable(operator.source),
        kind=kind,
        agent=agent,
        base=store.main() or "",
        title=escape_undecodable(title),
        description=description,
        retry_of=retry_of,
        title_base64=base64_of_undecodable(title),
    )
    message = format_message(f"Proposal {number} of {agent}: {title}", record)
    if not await store.create_tag(f"proposal/{number}", commit, message):
        raise OperationFailed(f"Proposal {number} already exists", "Its id was assigned twice.", "Submit it again.")
    publish(host, _pinned_event(number, record, commit))
    tags = load_tags(store, number)
    if tags is None:
        raise unknown_proposal(number, "Its tag was removed.")
    return build_proposal(tags)


def _shorten(title: str) -> str:
    """The first line of a commit can be a MiB long, and a tag with such a message would be too large to read."""
    return title if len(title) <= MAX_TITLE_CHARS else title[: MAX_TITLE_CHARS - 1] + "…"


def _pinned_event(number: int, record: Submitted, commit: str) -> Event:
    return Event(
        time=record.at,
        kind=EventKind.PROPOSAL_PINNED,
        agent=record.agent,
        proposal=number,
        operator=record.operator,
        source=record.source,
        text=f"Proposal {number} of {record.agent} was pinned: {record.title}",
        data={"kind": record.kind.value, "commit": commit, "base": record.base},
    )


def check_pending(host: Host, store: AppliedRepo, agent: str, commit: str | None) -> None:
    """BadData when the same commit (or spawn) is already pending; TryAgain when too many are pending."""
    pending = [tags for tags in list_tags(store) if tags.agent == agent and tags.state == ProposalState.PENDING]
    same = next((tags for tags in pending if commit is None or tags.commit == commit), None)
    if same:
        what = f"commit {commit[:12]} of {agent}" if commit else f"a spawn of {agent}"
        raise BadData(
            f"Proposal {same.number} already requests {what}",
            "It is pending.",
            f"See: hivetui show {same.number}",
        )
    limit = host.settings.proposals.max_pending
    if len(pending) >= limit:
        count = "1 pending proposal" if len(pending) == 1 else f"{len(pending)} pending proposals"
        raise TryAgain(
            f"{agent} has {count}",
            f"At most {limit} are allowed (proposals.max_pending).",
            "Withdraw some, or wait until they are decided.",
        )
