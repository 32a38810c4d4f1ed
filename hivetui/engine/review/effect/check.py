"""Checks, before a proposal is claimed, that what was shown is what would be deployed."""

from __future__ import annotations

from typing import NamedTuple

from hivetui.engine.git import objects
from hivetui.engine.host.host import Host
from hivetui.engine.model.commits import short_hash
from hivetui.engine.model.effect import EffectState, Moved
from hivetui.engine.model.errors import BadData, CommandFailed, NotAllowed, OperationFailed, Stale
from hivetui.engine.model.proposals import Proposal, ProposalKind
from hivetui.engine.model.records import EffectReference
from hivetui.engine.review.effect import make, store
from hivetui.engine.review.effect.store import META_FLAKE, StoredEffect


class Binding(NamedTuple):
    """The effect that an approval is bound to, and the commit of meta that it was evaluated with."""

    effect: EffectReference
    meta: str


async def bind_effect(
    host: Host, proposal: Proposal, base: str, derivation: str | None, is_decided: bool = True
) -> Binding | None:
    """What an approval of `proposal` against `base` with `--effect derivation` is bound to; None without an effect.

    The proposal is evaluated again with meta at its HEAD: Stale if the derivation is another one now, naming what has
    moved. It is not where the approval is only prepared and the effect is known. NotAllowed where an effect is required
    and none, or one that nobody has seen, is given; BadData for what has no effect.
    """
    stored = store.load(host.paths, proposal.id)
    _require_effect(host, proposal, stored, derivation)
    if derivation is None:
        return None
    if proposal.kind is not ProposalKind.DEPLOY or proposal.commit is None:
        raise BadData(f"Proposal {proposal.id} has no effect to approve", "It asks for a new agent.", "Leave it out.")
    head = objects.ref(host.paths.meta / ".git", "refs/heads/main")
    if head is None:
        raise OperationFailed("The meta repo has no commit", f"{host.paths.meta} is missing or empty", "")
    known = stored.effect.reference if stored is not None and stored.effect.derivation == derivation else None
    if known is not None and not is_decided:
        return Binding(known, head)
    found = await _evaluate(host, proposal, base, head)
    if found.derivation != derivation:
        raise _moved(host, proposal, base, stored, derivation, Binding(found, head))
    return Binding(known or found, head)


async def _evaluate(host: Host, proposal: Proposal, base: str, head: str) -> EffectReference:
    assert proposal.commit is not None
    try:
        return await make.evaluate_reference(host, proposal.agent, base, proposal.commit, head)
    except (CommandFailed, BadData) as error:
        what = f"Proposal {proposal.id} was not approved: its effect cannot be checked"
        raise Stale(what, f"{error.what}\n{error.why}".strip(), _again(proposal)) from error


def _require_effect(host: Host, proposal: Proposal, stored: StoredEffect | None, derivation: str | None) -> None:
    """NotAllowed if `review.require_effect` is set and the approval names no effect that is known."""
    if not host.settings.review.require_effect or proposal.kind is not ProposalKind.DEPLOY:
        return
    known = stored.effect if stored is not None and stored.commit == proposal.commit else None
    is_known = known is not None and known.state is EffectState.KNOWN and known.derivation == derivation
    if derivation is None or not is_known:
        why = "The setting review.require_effect demands a known effect."
        if derivation is not None:
            why += " No preview of this proposal has found that derivation."
        fix = f"hivetui preview {proposal.id}, then approve with --effect and the derivation that it prints"
        raise NotAllowed(f"Proposal {proposal.id} was not approved: no known effect was given", why, fix)


def _moved(host: Host, proposal: Proposal, base: str, stored: StoredEffect | None, shown: str, now: Binding) -> Stale:
    """The error for an approval of another effect: which inputs have moved, from what to what.

    It is compared with meta as it was evaluated: by now meta may be back where the effect was made.
    """
    moved: tuple[Moved, ...] = ()
    if stored is not None and stored.effect.derivation == shown:
        moved = store.moved_since(stored, base, store.read_meta_at(host, proposal.agent, now.meta))
    why = "; ".join(map(_line, moved)) or "Nothing that meta has locked has moved: nix or its settings are others now"
    if stored is None or stored.effect.derivation != shown:
        why = "No preview of this proposal has found that derivation"
    why = f"{why}. Shown was {shown[:300]}, and it is {now.effect.derivation} now."
    return Stale(f"Proposal {proposal.id} was not approved: its effect has moved", why, _again(proposal))


def _line(moved: Moved) -> str:
    if moved.input == META_FLAKE:
        return f"{META_FLAKE} has changed"
    return f"{moved.input} has moved: {short_hash(moved.old)} → {short_hash(moved.new)}"


def _again(proposal: Proposal) -> str:
    return f"Find out what it would do now: hivetui preview {proposal.id}"
