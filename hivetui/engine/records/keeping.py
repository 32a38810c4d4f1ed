"""Keeping records: in refs of the repo that has the tags of the decision, each created once and never moved."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from hivetui.engine.git import objects
from hivetui.engine.git.commands import NULL_ID, Git
from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadData, HiveError
from hivetui.engine.model.records import GivenSignatures
from hivetui.engine.model.text import show_bytes
from hivetui.engine.records import envelope, signing
from hivetui.engine.records.envelope import Envelope
from hivetui.engine.records.signing import CannotSign, Keys
from hivetui.engine.records.statements import (
    GITTUF,
    IN_TOTO,
    Decision,
    Inventory,
    MetaState,
    Proof,
    Verdict,
    authorization_statement,
    decision_statement,
    inventory_statement,
)

FOLDER = "refs/hive/records"
"""The refs of records are below it; where they are not packed, it is a directory of the repo."""
FIRST = "0"
"""The record that lists what was there before any record."""
_PASSING = "building/"
"""Tags of this prefix are removed again, so an inventory does not list them."""
_MOVES_MAIN = (Verdict.APPROVE, Verdict.ROLLBACK)


@dataclass(frozen=True)
class Written:
    """A record that was written: its blob, to which a tag and a ref are to be pointed, and who signed it."""

    blob: str
    proof: Proof


def record_refs(git_dir: Path) -> dict[str, str]:
    """The blob of each record of a repo, by the name of the record."""
    return {ref.removeprefix(f"{FOLDER}/"): blob for ref, blob in objects.refs(git_dir, FOLDER).items()}


def record_ref(git_dir: Path, name: str) -> str | None:
    """The blob of one record, None without it."""
    return objects.ref(git_dir, f"{FOLDER}/{name}")


async def write(host: Host, git: Git, decision: Decision, given: GivenSignatures | None = None) -> Written:
    """Write the record of a decision, to which nothing refers yet; first that of what is there, if there is none.

    `decision.signed` is set here: where ssh-keygen cannot sign, the record has no signature and says so. With `given`
    it must be what the operator has signed; errors as for `signing.attach`, and CannotSign without the host's key.
    BadConfiguration when the operator's key cannot be used, CannotCreate on a full disk.
    """
    await begin(host, git, decision.agent)
    if given is not None:
        return await _write_signed(host, git, decision, given)
    return await _write(host, git, lambda proof: _decision_envelopes(decision.model_copy(update={"signed": proof})))


async def prepare(host: Host, decision: Decision) -> tuple[Envelope, ...]:
    """What the operator is to sign of a decision, which `write` then takes; CannotSign where the host cannot sign."""
    keys = await signing.load_keys(host)
    if keys.host is None:
        fix = "See hivetui doctor there, or leave out console.sign_key: the decision is then recorded unsigned."
        raise CannotSign("That host cannot keep signatures, so nothing was decided", keys.problem, fix)
    return _decision_envelopes(decision.model_copy(update={"signed": Proof.SIGNED}))


async def plant(git: Git, name: str, blob: str) -> bool:
    """Create the ref of a record; False when the record exists."""
    return await git.compare_and_swap(f"{FOLDER}/{name}", blob, NULL_ID)


async def plant_or_leave(git: Git, name: str, blob: str) -> None:
    """Create the ref of a record whose tag exists. The decision is made, so a failure is left to the next repair."""
    with suppress(HiveError):
        await plant(git, name, blob)


async def begin(host: Host, git: Git, agent: str) -> None:
    """Record what is in the repo before its first record; nothing if it has one."""
    if record_ref(git.git_dir, FIRST) is not None:
        return
    at, main = host.clock(), objects.ref(git.git_dir, "refs/heads/main")
    tags = {
        name: value
        for ref, value in sorted(objects.refs(git.git_dir, "refs/tags").items())
        if not (name := ref.removeprefix("refs/tags/")).startswith(_PASSING)
    }

    def make(proof: Proof) -> tuple[Envelope, ...]:
        inventory = Inventory(agent=agent, at=at, main=main, tags=tags, signed=proof)
        return (Envelope(IN_TOTO, inventory_statement(inventory)),)

    await plant(git, FIRST, (await _write(signing.without_operator_key(host), git, make)).blob)  # nobody decided it


async def record_rebuild(host: Host, git: Git, operation: int, decision: Decision) -> None:
    """Record that a rebuild made another system of the deployed commit, before that system is run."""
    await plant(git, f"rebuild-{operation}", (await write(host, git, decision)).blob)


async def move_to_meta(host: Host, source: Git, agent: str) -> None:
    """Copy the records of an agent to meta before its repo is purged. Safe to repeat; no record of meta is replaced.

    Record 0, which every repo has, and one whose name meta has already get the agent and their blob into the name.
    """
    target = Git(host, host.paths.meta)
    if not target.git_dir.is_dir():
        return
    known, lines = record_refs(target.git_dir), []
    for name, blob in sorted(record_refs(source.git_dir).items()):
        is_taken = name == FIRST or known.get(name, blob) != blob
        new = f"{name}-{agent}-{blob[:12]}" if is_taken else name
        if known.get(new) != blob:
            lines.append(f"{FOLDER}/{name}:{FOLDER}/{new}\n")
    if lines:
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--stdin")
        unpacked = ("-c", "fetch.unpackLimit=100000")  # a pack that a full disk cuts would stay behind
        await target.run(*unpacked, "fetch", *options, str(source.git_dir), stdin="".join(lines).encode())


async def _write(host: Host, git: Git, make: Callable[[Proof], tuple[Envelope, ...]]) -> Written:
    keys = await signing.load_keys(host)
    try:
        envelopes = await signing.sign(host, keys, make(keys.proof))
    except CannotSign as error:
        keys = Keys(problem=error.why)
        envelopes = make(keys.proof)
    blob = await git.write_blob(envelope.format_bundle(envelopes))
    _note_problem(host, keys.problem)
    return Written(blob, keys.proof)


async def _write_signed(host: Host, git: Git, decision: Decision, given: GivenSignatures) -> Written:
    envelopes = await signing.attach(host, await prepare(host, decision), given, decision.operator.name)
    witnessed = await signing.sign(host, Keys(host.paths.record_key), envelopes)
    blob = await git.write_blob(envelope.format_bundle(witnessed))
    _note_problem(host, "")
    return Written(blob, Proof.SIGNED)


def _note_problem(host: Host, problem: str) -> None:
    """Leave for the warnings why the newest record is not signed."""
    path = host.paths.unsigned_record
    with suppress(HiveError):  # the record itself says it too
        if problem:
            files.replace(path, show_bytes(problem).encode())
        elif path.exists():
            files.remove(path)


def unsigned_reason(host: Host) -> str:
    """Why the newest record is not signed, "" if it is."""
    try:
        return host.paths.unsigned_record.read_text("utf-8", "surrogateescape").strip()
    except OSError:
        return ""


def _decision_envelopes(decision: Decision) -> tuple[Envelope, ...]:
    ours = Envelope(IN_TOTO, decision_statement(decision))
    if decision.decision in _MOVES_MAIN and decision.kind != "spawn":
        return Envelope(GITTUF, authorization_statement(decision)), ours
    return (ours,)


async def meta_state(host: Host, commit: str | None = None) -> MetaState | None:
    """Meta at this commit, or as it is now; None before its first commit."""
    head = commit or await repository.head(host)
    if head is None:
        return None
    return MetaState(commit=head, lock=objects.blob_at(host.paths.meta / ".git", head, "flake.lock"))


def inventory(git_dir: Path) -> Inventory:
    """What record 0 lists; BadData or OperationFailed without one that can be read."""
    return _inventory(git_dir, record_ref(git_dir, FIRST) or "")


@lru_cache(maxsize=256)
def _inventory(git_dir: Path, blob: str) -> Inventory:
    try:
        return Inventory.model_validate(read(git_dir, blob)[-1].statement()["predicate"])
    except (KeyError, ValidationError) as error:
        raise unreadable(FIRST, str(error)[:200]) from error


def unreadable(name: str, why: str) -> BadData:
    """The error for a record that is not one."""
    return BadData(f"Record {name} cannot be read", why, "Verify the whole history: hivetui verify")


@lru_cache(maxsize=4096)
def proof_of(git_dir: Path, blob: str) -> Proof | None:
    """What a record says of its signatures, which only `verify` checks; None for one that cannot be read."""
    try:
        return Proof(read(git_dir, blob)[-1].statement()["predicate"]["signed"])
    except (HiveError, LookupError, TypeError, ValueError):
        return None


@lru_cache(maxsize=64)  # a record may have what was seen of many files: up to 0.7 MB
def read(git_dir: Path, blob: str) -> tuple[Envelope, ...]:
    """The envelopes of a record; BadData or OperationFailed when it cannot be read."""
    return envelope.parse_bundle(objects.read(git_dir, blob)[1])
