"""Where the tags of proposals are stored, and the state that they add up to.

The tags of an agent are in its applied repo, those of spawn requests in meta. Reading them starts no process.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from hivetui.engine.git.applied import AppliedRepo, Tag, applied_names
from hivetui.engine.git.commands import Git
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.errors import NotFound
from hivetui.engine.model.findings import Acknowledgement, Finding
from hivetui.engine.model.proposals import FINAL_STATES, PROPOSAL_TAGS, Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals.tag_messages import Approved, Failed, Refused, Submitted, parse_message
from hivetui.engine.records import keeping

LARGEST_ID = 10**15
"""The engine assigns far smaller ids. `_TAG` matches somewhat larger ones too, which people can create by hand."""
_TAG = re.compile(rf"({'|'.join(PROPOSAL_TAGS)})/(0|[1-9][0-9]{{0,15}})", re.ASCII)
_STATE_PRECEDENCE = (*FINAL_STATES, ProposalState.BUILDING, ProposalState.APPROVED)
"""The first of these whose tag exists is the state of a proposal."""


class MetaTagStore(AppliedRepo):
    """The tags of spawn requests: the tags of the meta repo, read and created like those of an applied repo."""

    def __init__(self, host: Host) -> None:
        self.host, self.name = host, ""
        self.folder = host.paths.meta
        self.git_dir = host.paths.meta / ".git"
        self.git = Git(host, self.folder)


@dataclass(frozen=True)
class ProposalTags:
    """All tags of one proposal, by the part of their name before the slash, and the repo that holds them."""

    number: int
    store: AppliedRepo
    tags: Mapping[str, Tag]

    @cached_property
    def submitted(self) -> Submitted | None:
        """The record of `proposal/<id>`; None for a tag made by hand."""
        return parse_message(self.tags["proposal"].message, Submitted)

    @cached_property
    def approved(self) -> Approved | None:
        """The record of `approved/<id>`; None without an approval."""
        return parse_message(self.tags["approved"].message, Approved) if "approved" in self.tags else None

    @cached_property
    def refused(self) -> Refused | None:
        """The record of `denied/<id>` or `withdrawn/<id>`; None without a refusal."""
        tag = self._refusal
        return parse_message(tag.message, Refused) if tag else None

    @property
    def _refusal(self) -> Tag | None:
        return self.tags.get("denied") or self.tags.get("withdrawn")

    @property
    def commit(self) -> str:
        """The commit that `proposal/<id>` points to."""
        return self.tags["proposal"].commit

    @property
    def agent(self) -> str:
        """The agent that it concerns; "" for a spawn request whose tag was made by hand."""
        return self.store.name or (self.submitted.agent if self.submitted else "")

    @property
    def kind(self) -> ProposalKind:
        """Spawn in meta; elsewhere a rollback if the tag says so, else a deploy."""
        if isinstance(self.store, MetaTagStore):
            return ProposalKind.SPAWN
        rolls_back = self.submitted and self.submitted.kind == ProposalKind.ROLLBACK
        return ProposalKind.ROLLBACK if rolls_back else ProposalKind.DEPLOY

    @property
    def state(self) -> ProposalState:
        """The state that the tags add up to; pending without any but `proposal/<id>`."""
        return next((state for state in _STATE_PRECEDENCE if state.value in self.tags), ProposalState.PENDING)

    @property
    def decision(self) -> Approved | Refused | None:
        """The record of the decision, if there is one that can be read."""
        return self.approved or self.refused

    def proposal(self) -> Proposal:
        """The proposal as a value for everything above the engine."""
        submitted, decision, tag = self.submitted, self.decision, self.tags["proposal"]
        is_spawn = self.kind == ProposalKind.SPAWN
        main = None if is_spawn else self.store.main()
        is_pending = self.state == ProposalState.PENDING
        return Proposal(
            id=self.number,
            kind=self.kind,
            agent=self.agent,
            state=self.state,
            commit=None if is_spawn else tag.commit,
            base=decision.base if decision and not is_spawn else main,
            stale=bool(is_pending and not is_spawn and submitted and submitted.base != main),
            title=(submitted.exact_title.strip() if submitted else "") or self._fallback_title(),
            description=submitted.description if submitted else "",
            submitted_by=submitted.operator if submitted else tag.tagger_name,
            submitted_at=submitted.at if submitted else (tag.tagged_at or self._authored_at()),
            decided_by=decision.operator if decision else None,
            decided_at=decision.at if decision else None,
            proof=keeping.proof_of(self.store.git_dir, decision.record) if decision and decision.record else None,
            note=self.note,
            lines=self.refused.lines if self.refused else (),
            error=self.error,
            retry_of=submitted.retry_of if submitted else None,
            obstacle=self._obstacle() if is_pending and not is_spawn else None,
            findings=self._findings(),
        )

    def _findings(self) -> tuple[Finding, ...] | None:
        """What was found when it was decided; None while it is pending, and where nothing was recorded."""
        decision = self.decision
        if decision is None or decision.findings is None:
            return None
        by = Acknowledgement(proposal=self.number, operator=decision.operator, at=decision.at)
        return tuple(
            Finding(**record.model_dump(exclude={"acknowledged"}), acknowledged=by if record.acknowledged else None)
            for record in decision.findings
        )

    def _obstacle(self) -> str | None:
        """Why it cannot be approved now: its agent was destroyed."""
        has_container = self.store.host.paths.conf(self.agent).exists()
        return None if has_container else f"{self.agent} has no container; spawn it again first"

    def _fallback_title(self) -> str:
        """The title of a proposal whose tag was made by hand, or of an older one without a title."""
        first_line = "" if self.submitted else (self.tags["proposal"].message or "").partition("\n")[0]
        return first_line or self.store.commit_summary(self.commit).title

    def _authored_at(self) -> datetime:
        return self.store.commit_summary(self.commit).authored_at

    @property
    def note(self) -> str | None:
        """The note of the decision; of a refusal made by hand the message of its tag."""
        if tag := self._refusal:
            return self.refused.note if self.refused else tag.message
        return self.approved.note if self.approved else None

    @property
    def error(self) -> str | None:
        """The error of a failed deploy, None for any other proposal."""
        if (tag := self.tags.get("failed")) is None:
            return None
        record = parse_message(tag.message, Failed)
        return record.error if record else (tag.message or "")


def tag_stores(host: Host, agent: str | None = None) -> Iterator[AppliedRepo]:
    """The applied repo of every agent (or only of `agent`) that has one, by name, and then meta."""
    agents = applied_names(host) if agent is None else (names.check(agent),)
    yield from (store for name in agents if (store := AppliedRepo(host, name)).exists())
    yield MetaTagStore(host)


def list_tags(store: AppliedRepo) -> list[ProposalTags]:
    """Every proposal of one repo, by id. An id without a `proposal/<id>` is skipped."""
    grouped: dict[int, dict[str, Tag]] = defaultdict(dict)
    for name, tag in store.tags().items():
        if match := _TAG.fullmatch(name):
            grouped[int(match[2])][match[1]] = tag
    return [ProposalTags(number, store, tags) for number, tags in sorted(grouped.items()) if "proposal" in tags]


def find_tags(host: Host, number: int) -> ProposalTags:
    """One proposal of any agent; NotFound."""
    for store in tag_stores(host):
        if (found := load_tags(store, number)) is not None:
            return found
    raise unknown_proposal(number, "No agent has a proposal with that number.")


def find_tags_of(host: Host, agent: str, number: int) -> ProposalTags:
    """One proposal of this agent, a spawn request too; NotFound when the agent has no such proposal."""
    for store in (AppliedRepo(host, agent), MetaTagStore(host)):
        found = load_tags(store, number)
        if found is not None and found.agent == agent:
            return found
    raise unknown_proposal(number, f"{agent} has no proposal with that number.")


def load_tags(store: AppliedRepo, number: int) -> ProposalTags | None:
    """One proposal of one repo; None when the repo has no such proposal."""
    if store.tag(f"proposal/{number}") is None:
        return None
    found = {name: tag for name in PROPOSAL_TAGS if (tag := store.tag(f"{name}/{number}"))}
    return ProposalTags(number, store, found)


def highest_id(host: Host) -> int:
    """The highest id of any proposal so far, 0 without one. Ids are never used twice.

    Agents that were destroyed count by their tags, those that were purged by what meta remembers of them. A tag made
    by hand with an id above `LARGEST_ID` does not count: the ids after it would not be valid.
    """
    matches = (_TAG.fullmatch(name) for store in tag_stores(host) for name in store.tag_names())
    ids = [number for match in matches if match and (number := int(match[2])) <= LARGEST_ID]
    # A purge writes the id to meta before it removes the tags, so the tags must be read first.
    return max([*ids, repository.last_id(host)])


def unknown_proposal(number: int, why: str) -> NotFound:
    """The error for a proposal that does not exist."""
    return NotFound(f"There is no proposal {number}", why, "List them with: hivetui proposals --all")
