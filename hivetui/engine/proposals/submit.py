"""New proposals: a commit is pinned, or an agent is asked for. Nothing that waits is decided here."""

from __future__ import annotations

from hivetui.engine.events.journal import publish
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.untrusted import proposed
from hivetui.engine.host import ids, locks
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.errors import BadData, Busy, NotFound, OperationFailed, TryAgain
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals import tag_messages
from hivetui.engine.proposals.tag_messages import Submitted, escape_undecodable
from hivetui.engine.proposals.tags import MetaTagStore, highest_id, list_tags, load_tags, unknown_proposal

_WAIT_SECONDS = 10.0  # for others who decide about the same agent; they hold the lock for a few git commands


async def decision_lock(host: Host, name: str, holder: str) -> locks.Lock:
    """The lock under which proposals of one agent are pinned and decided; Busy when it stays held.

    It is another than the agent's: that one is held for as long as a deploy builds, and a proposal can be denied
    meanwhile. Who holds both takes the agent's first.
    """
    try:
        return await locks.wait_for(host.paths.locks / f"decision-{names.check(name)}", holder, _WAIT_SECONDS)
    except Busy as busy:
        raise Busy(f"Somebody is deciding about {name}", busy.why, busy.fix) from busy


async def submit(host: Host, name: str, commit: str | None, text: str, operator: Operator) -> Proposal:
    """Pin `commit` of proposed (its main when None) as a new proposal; `text` is for people.

    NotFound without such an agent; BadData for a commit that cannot be had or is too large, for one that waits
    already, for too many that wait.
    """
    applied = require_layout(host, name)
    description = _checked_text(text)
    full = await proposed.resolve(host, name, commit)
    _check_room(host, applied, name, full)
    await proposed.fetch(host, name, full)
    title = description.partition("\n")[0] or applied.commit_summary(full).title
    with await decision_lock(host, name, "submit"):
        _check_room(host, applied, name, full)
        return await pin_proposal(host, applied, name, ProposalKind.DEPLOY, full, title, description, operator)


async def request_spawn(host: Host, name: str, text: str, operator: Operator) -> Proposal:
    """Ask for a new agent; NotFound without a meta repo, BadData when it is there or asked for already."""
    names.check_new(name)
    description = _checked_text(text)
    meta = MetaTagStore(host)
    head = meta.main()
    if head is None:
        raise NotFound(
            "There is no meta repo yet", "A spawn request is kept in it.", "Spawn the first agent: hivetui spawn hm1nd"
        )
    if host.paths.conf(name).exists():
        raise BadData(f"{name} has a container already", "A spawn makes an agent that is not there.", "Name another.")
    with await decision_lock(host, name, "request spawn"):
        _check_room(host, meta, name, None)
        title = description.partition("\n")[0] or f"Spawn {name}"
        return await pin_proposal(host, meta, name, ProposalKind.SPAWN, head, title, description, operator)


def require_layout(host: Host, name: str) -> AppliedRepo:
    """The applied repo of an agent; NotFound without one, BadData for one that predates this layout."""
    applied = AppliedRepo(host, name)
    if not applied.exists():
        raise NotFound(
            f"There is no agent {name}, or it was never spawned",
            f"It has no applied repo at {applied.folder}.",
            f"Look with: hivetui agents. Make it with: hivetui spawn {name}",
        )
    if not applied.has_layout():
        raise BadData(
            f"The applied repo of {name} predates this layout",
            f"{applied.folder} has no tag deployed/0.",
            f"Migrate it with: hivetui repair {name}. Or start anew: hivetui destroy {name} --purge, then spawn it.",
        )
    return applied


async def pin_proposal(
    host: Host,
    store: AppliedRepo,
    name: str,
    kind: ProposalKind,
    commit: str,
    title: str,
    description: str,
    operator: Operator,
) -> Proposal:
    """Plant `proposal/<id>` with a new id and tell people; the caller holds the agent's decision lock."""
    number = ids.next_id(host.paths, "proposal", highest_id(host) + 1)
    record = Submitted(
        at=host.clock(),
        operator=escape_undecodable(operator.name),
        source=escape_undecodable(operator.source),
        kind=kind,
        agent=name,
        base=store.main() or "",
        title=_cut(escape_undecodable(title)),
        description=description,
    )
    message = tag_messages.format_message(f"Proposal {number} of {name}: {title}", record)
    if not await store.create_tag(f"proposal/{number}", commit, message):
        raise OperationFailed(f"Proposal {number} exists already", "Its id was given twice.", "Submit it again.")
    publish(host, _pinned(number, record, commit))
    found = load_tags(store, number)
    if found is None:
        raise unknown_proposal(number, "Somebody removed its tag.")
    return found.proposal()


def _cut(title: str) -> str:
    """The first line of a commit can be a MiB long, and a tag so large would not be read."""
    most = tag_messages.MAX_TITLE_CHARS
    return title if len(title) <= most else title[: most - 1] + "…"


def _pinned(number: int, record: Submitted, commit: str) -> Event:
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


def _check_room(host: Host, store: AppliedRepo, name: str, commit: str | None) -> None:
    """BadData when the same waits already; TryAgain when too many wait."""
    pending = [case for case in list_tags(store) if case.agent == name and case.state == ProposalState.PENDING]
    same = next((case for case in pending if commit is None or case.commit == commit), None)
    if same:
        what = f"commit {commit[:12]} of {name}" if commit else f"a spawn of {name}"
        raise BadData(
            f"Proposal {same.number} asks for {what} already",
            "It waits for a decision.",
            f"See: hivetui show {same.number}",
        )
    most = host.settings.proposals.max_pending
    if len(pending) >= most:
        raise TryAgain(
            f"{name} has {len(pending)} proposals that wait",
            f"At most {most} may (proposals.max_pending).",
            "Withdraw some, or wait for their decision.",
        )


def _checked_text(text: str) -> str:
    text = escape_undecodable(text).strip()
    if len(text) > tag_messages.MAX_TEXT_CHARS:
        raise BadData(
            f"The description has {len(text)} characters",
            f"It may have {tag_messages.MAX_TEXT_CHARS}.",
            "Say it shorter, and the rest in the commit's message.",
        )
    return text
