"""Where the tags of proposals are, and where by them each proposal stands.

The tags are the only truth: those of an agent in its applied repo, those of spawn requests in meta. Reading them
spawns no process.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from hivetui.engine.git.applied import AppliedRepo, Tag, applied_names
from hivetui.engine.git.commands import Git
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.errors import NotFound
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals.tag_messages import Approved, Failed, Refused, Submitted, parse_message

ENDS = (ProposalState.DEPLOYED, ProposalState.FAILED, ProposalState.DENIED, ProposalState.WITHDRAWN)
_STATE_PRECEDENCE = (
    *ENDS,
    ProposalState.BUILDING,
    ProposalState.APPROVED,
)  # the first tag that is there tells the state
LARGEST_ID = 10**15
"""What the engine gives is far below; `_TAG` knows some more."""
_TAG = re.compile(r"(proposal|approved|building|deployed|failed|denied|withdrawn)/(0|[1-9][0-9]{0,15})", re.ASCII)


class MetaTagStore(AppliedRepo):
    """The tags of spawn requests: those of the meta repo, read and planted as an applied repo's are."""

    def __init__(self, host: Host) -> None:
        self.host, self.name = host, ""
        self.folder = host.paths.meta
        self.git_dir = host.paths.meta / ".git"
        self.git = Git(host, self.folder)


@dataclass(frozen=True)
class ProposalTags:
    """One id: where its tags are, and what they say."""

    number: int
    store: AppliedRepo
    tags: Mapping[str, Tag]

    @cached_property
    def submitted(self) -> Submitted | None:
        """What the proposal's own tag says."""
        return parse_message(self.tags["proposal"].message, Submitted)

    @cached_property
    def approved(self) -> Approved | None:
        """What the claim says."""
        return parse_message(self.tags["approved"].message, Approved) if "approved" in self.tags else None

    @cached_property
    def refused(self) -> Refused | None:
        """What the denial or the withdrawal says."""
        tag = self.tags.get("denied") or self.tags.get("withdrawn")
        return parse_message(tag.message, Refused) if tag else None

    @property
    def commit(self) -> str:
        """What `proposal/<id>` points at."""
        return self.tags["proposal"].commit

    @property
    def agent(self) -> str:
        """The agent that it is about; "" for a spawn request whose tag was made by hand."""
        return self.store.name or (self.submitted.agent if self.submitted else "")

    @property
    def kind(self) -> ProposalKind:
        """Spawn in meta; else what the tag says, a deploy if it says nothing."""
        if isinstance(self.store, MetaTagStore):
            return ProposalKind.SPAWN
        rolls_back = self.submitted and self.submitted.kind == ProposalKind.ROLLBACK
        return ProposalKind.ROLLBACK if rolls_back else ProposalKind.DEPLOY

    @property
    def state(self) -> ProposalState:
        """Where it stands."""
        return next((state for state in _STATE_PRECEDENCE if state.value in self.tags), ProposalState.PENDING)

    @property
    def decision(self) -> Approved | Refused | None:
        """Who decided, when and where from, if that can be told."""
        return self.approved or self.refused

    def proposal(self) -> Proposal:
        """The proposal as the rest of the program sees it."""
        own, decision, tag = self.submitted, self.decision, self.tags["proposal"]
        spawn = self.kind == ProposalKind.SPAWN
        main = None if spawn else self.store.main()
        return Proposal(
            id=self.number,
            kind=self.kind,
            agent=self.agent,
            state=self.state,
            commit=None if spawn else tag.commit,
            base=decision.base if decision and not spawn else main,
            stale=bool(self.state == ProposalState.PENDING and not spawn and own and own.base != main),
            title=own.title if own else self._title(),
            description=own.description if own else "",
            submitted_by=own.operator if own else (tag.tagger or ""),
            submitted_at=own.at if own else (tag.tagged_at or self.store.commit_summary(tag.commit).authored_at),
            decided_by=decision.operator if decision else None,
            decided_at=decision.at if decision else None,
            note=self.note,
            error=self.error,
        )

    def _title(self) -> str:
        """What stands for the title of a proposal whose tag was made by hand."""
        own = (self.tags["proposal"].message or "").partition("\n")[0]
        return own or self.store.commit_summary(self.commit).title

    @property
    def note(self) -> str | None:
        """The note of the decision."""
        if tag := self.tags.get("denied") or self.tags.get("withdrawn"):
            return self.refused.note if self.refused else tag.message
        return self.approved.note if self.approved else None

    @property
    def error(self) -> str | None:
        """Why it failed, if it did."""
        if (tag := self.tags.get("failed")) is None:
            return None
        record = parse_message(tag.message, Failed)
        return record.error if record else (tag.message or "")


def find_store(host: Host, name: str, number: int) -> AppliedRepo:
    """Where the tags of proposal `number` of this agent are; NotFound when it has no such proposal."""
    for store in (AppliedRepo(host, name), MetaTagStore(host)):
        tag = store.tag(f"proposal/{number}")
        if tag and (store.name or _agent_in(tag) == name):
            return store
    raise unknown_proposal(number, f"{name} has no proposal of that number.")


def _agent_in(tag: Tag) -> str | None:
    submitted = parse_message(tag.message, Submitted)
    return submitted.agent if submitted else None


def tag_stores(host: Host, agent: str | None = None) -> Iterator[AppliedRepo]:
    """The applied repo of every agent (or of one) that has one, by name, and then meta."""
    agents = applied_names(host) if agent is None else (names.check(agent),)
    yield from (store for name in agents if (store := AppliedRepo(host, name)).exists())
    yield MetaTagStore(host)


def list_tags(store: AppliedRepo) -> list[ProposalTags]:
    """Every proposal of one repo, by id. Ids without a `proposal/<id>` are none."""
    grouped: dict[int, dict[str, Tag]] = defaultdict(dict)
    for name, tag in store.tags().items():
        if match := _TAG.fullmatch(name):
            grouped[int(match[2])][match[1]] = tag
    return [ProposalTags(number, store, tags) for number, tags in sorted(grouped.items()) if "proposal" in tags]


def find_tags(host: Host, number: int) -> ProposalTags:
    """One proposal by its id; NotFound."""
    for store in tag_stores(host):
        if (found := load_tags(store, number)) is not None:
            return found
    raise unknown_proposal(number, "No agent has a proposal of that number.")


def load_tags(store: AppliedRepo, number: int) -> ProposalTags | None:
    """One proposal of one repo."""
    if store.tag(f"proposal/{number}") is None:
        return None
    states = ("proposal", *(state.value for state in _STATE_PRECEDENCE))
    found = {state: tag for state in states if (tag := store.tag(f"{state}/{number}"))}
    return ProposalTags(number, store, found)


def highest_id(host: Host) -> int:
    """The highest id that any tag carries, of agents that are gone but kept too, or carried when its agent was purged.

    0 when there is none. A tag of people's own with an id beyond `LARGEST_ID` does not count: after it no id would be
    one any more.
    """
    found = (_TAG.fullmatch(name) for store in tag_stores(host) for name in store.tag_names())
    ids = (int(match[2]) for match in found if match)
    return max([*(number for number in ids if number <= LARGEST_ID), repository.last_id(host)])  # as they go in a purge


def unknown_proposal(number: int, why: str) -> NotFound:
    """There is no such proposal."""
    return NotFound(f"There is no proposal {number}", why, "List them with: hivetui proposals --all")
