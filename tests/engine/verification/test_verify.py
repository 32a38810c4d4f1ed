"""A history that is what was decided verifies, and whatever is changed in it afterwards is named by its id."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from hivetui.engine.model.operations import Operator
from hivetui.engine.model.records import Problem, ProblemCode
from hivetui.engine.model.settings import ConsoleSection, Settings
from hivetui.engine.proposals import claims, decide
from hivetui.engine.records import envelope, keeping
from hivetui.engine.records.statements import DecidedBy, Decision, Verdict
from hivetui.engine.recovery.repair import repair
from hivetui.engine.verification.verify import last_problems, verify
from tests.engine.conftest import NAME, OPERATOR, AgentRepos
from tests.engine.records import reading
from tests.engine.verification.conftest import SEEN, SYSTEM, deny, deploy, roll_back

OTHER = "/nix/store/b-system"


async def problems(repos: AgentRepos, signers: str | None = None) -> tuple[Problem, ...]:
    return (await verify(repos.host, signers=signers)).problems


def git(repos: AgentRepos, *words: str, stdin: bytes = b"") -> str:
    return reading.git(repos.applied.git_dir, *words, stdin=stdin)


async def test_a_history_that_is_what_was_decided_verifies(history: AgentRepos) -> None:
    found = await verify(history.host)
    assert (found.problems, found.checked, found.before_records, found.signed) == ((), 5, 0, 0)
    assert await problems(history, history.host.paths.allowed_signers.read_text()) == ()
    assert last_problems(history.host) == 0


def move_main(repos: AgentRepos) -> Problem:
    commit = repos.fetch(repos.commit({"change": "by hand"}))
    git(repos, "update-ref", "refs/heads/main", commit)
    return expect(None, ProblemCode.MAIN, commit)


def move_main_back(repos: AgentRepos) -> Problem:
    commit = git(repos, "rev-parse", "deployed/2^{commit}")
    git(repos, "update-ref", "refs/heads/main", commit)
    return expect(None, ProblemCode.MAIN, commit)


def claim_a_deploy(repos: AgentRepos) -> Problem:
    commit = repos.fetch(repos.commit({"change": "by hand"}))
    git(repos, "update-ref", "refs/heads/main", commit)
    git(repos, "-c", "user.name=x", "-c", "user.email=x", "tag", "-a", "-m", "x", "deployed/99", commit)
    return expect(99, ProblemCode.MISSING, commit)


def rewrite(name: str, kind: str, old: str, new: str) -> Callable[[AgentRepos], Problem]:
    """Write a tag again with another text in it."""

    def act(repos: AgentRepos) -> Problem:
        text = git(repos, "cat-file", "tag", name)
        assert old in text
        value = git(repos, "hash-object", "-t", "tag", "-w", "--stdin", stdin=text.replace(old, new).encode() + b"\n")
        git(repos, "update-ref", f"refs/tags/{name}", value)
        return expect(int(name.partition("/")[2]), ProblemCode(kind))

    return act


def retarget(name: str) -> Callable[[AgentRepos], Problem]:
    """Make a tag of the engine point to another commit, with its message as it was."""

    def act(repos: AgentRepos) -> Problem:
        text = git(repos, "cat-file", "tag", name)
        first = git(repos, "rev-parse", "deployed/0^{commit}")
        value = git(repos, "hash-object", "-t", "tag", "-w", "--stdin", stdin=f"object {first}{text[47:]}\n".encode())
        git(repos, "update-ref", f"refs/tags/{name}", value)
        return expect(int(name.partition("/")[2]), ProblemCode.TAG)

    return act


def turn_denial_into_withdrawal(repos: AgentRepos) -> Problem:
    git(repos, "update-ref", "refs/tags/withdrawn/3", git(repos, "rev-parse", "denied/3"))
    git(repos, "update-ref", "-d", "refs/tags/denied/3")
    return expect(3, ProblemCode.TAG)


def remove_tag(name: str) -> Callable[[AgentRepos], Problem]:
    def act(repos: AgentRepos) -> Problem:
        git(repos, "update-ref", "-d", f"refs/tags/{name}")
        return expect(int(name.partition("/")[2]), ProblemCode.TAG)

    return act


def remove_record(repos: AgentRepos) -> Problem:
    git(repos, "update-ref", "-d", "refs/hive/records/2")
    return expect(2, ProblemCode.MISSING)


def remove_all_records(repos: AgentRepos) -> Problem:
    for name in keeping.record_refs(repos.applied.git_dir):
        git(repos, "update-ref", "-d", f"refs/hive/records/{name}")
    asyncio.run(keeping.begin(repos.host, repos.applied.git, repos.name))  # as a repair would
    return expect(2, ProblemCode.MISSING)


def write_record(repos: AgentRepos, number: int, **changes: object) -> None:
    """Write the record of a decision again with other content, signed by the host's key."""
    old = Decision.model_validate(reading.predicate(repos.applied.git_dir, number))
    written = asyncio.run(keeping.write(repos.host, repos.applied.git, old.model_copy(update=changes)))
    git(repos, "update-ref", f"refs/hive/records/{number}", written.blob)


def record_another_base(repos: AgentRepos) -> Problem:
    write_record(repos, 2, base=git(repos, "rev-parse", "deployed/0^{commit}"))
    return expect(2, ProblemCode.BASE)


def record_another_tree(repos: AgentRepos) -> Problem:
    write_record(repos, 2, tree=git(repos, "rev-parse", "deployed/0^{tree}"))
    return expect(2, ProblemCode.TREE)


def record_an_approval_of_what_was_denied(repos: AgentRepos) -> Problem:
    write_record(repos, 3, decision=Verdict.APPROVE)
    return expect(3, ProblemCode.TAG)


def copy_a_record(repos: AgentRepos) -> Problem:
    git(repos, "update-ref", "refs/hive/records/2", git(repos, "rev-parse", "refs/hive/records/1"))
    return expect(1, ProblemCode.UNREADABLE)


def edit_a_record(repos: AgentRepos) -> Problem:
    """Change the note in a record and leave its signature as it was."""
    name = git(repos, "rev-parse", "refs/hive/records/3")
    (old,) = keeping.read(repos.applied.git_dir, name)
    new = replace(old, payload=old.payload.replace(b"Not this", b"Not that"))
    blob = git(repos, "hash-object", "-w", "--stdin", stdin=envelope.format_bundle([new]))
    git(repos, "update-ref", "refs/hive/records/3", blob)
    return expect(3, ProblemCode.SIGNATURE)


def strip_signatures(repos: AgentRepos) -> Problem:
    name = git(repos, "rev-parse", "refs/hive/records/3")
    bare = [replace(one, signatures=()) for one in keeping.read(repos.applied.git_dir, name)]
    blob = git(repos, "hash-object", "-w", "--stdin", stdin=envelope.format_bundle(bare))
    git(repos, "update-ref", "refs/hive/records/3", blob)
    return expect(3, ProblemCode.UNSIGNED)


def write_nonsense(repos: AgentRepos) -> Problem:
    git(repos, "update-ref", "refs/hive/records/3", git(repos, "hash-object", "-w", "--stdin", stdin=b"{"))
    return expect(3, ProblemCode.UNREADABLE)


@dataclass(frozen=True)
class Expected:
    number: int | None
    code: ProblemCode
    commit: str | None

    def is_in(self, found: tuple[Problem, ...]) -> bool:
        return any(
            (one.proposal, one.code, one.agent) == (self.number, self.code, NAME) and self.commit in (None, one.commit)
            for one in found
        )


def expect(number: int | None, code: ProblemCode, commit: str | None = None) -> Problem:
    return Problem(proposal=number, agent=NAME, commit=commit, code=code, text="")


MANIPULATIONS: dict[str, Callable[[AgentRepos], Problem]] = {
    "main moved": move_main,
    "main moved back to a deploy": move_main_back,
    "a deploy that nobody approved": claim_a_deploy,
    "the note of an approval": rewrite("approved/2", "tag-rewritten", "Fine", "Good"),
    "the operator of an approval": rewrite("approved/2", "tag-rewritten", '"anna"', '"eve"'),
    "what was seen of an approval": rewrite("approved/2", "tag-rewritten", SEEN.digest, "0" * 64),
    "an approval that saw nothing": rewrite("approved/2", "tag-rewritten", '"seen"', '"unseen"'),
    "an approval that restarts": rewrite("approved/2", "tag-rewritten", '"restart": false', '"restart": true'),
    "the note of a denial": rewrite("denied/3", "tag-rewritten", '"Not this"', '"Not yet"'),
    "the system of a deploy": rewrite("deployed/2", "system-differs", SYSTEM, OTHER),
    "an approval without its record": rewrite("approved/2", "tag-rewritten", '"record"', '"no-record"'),
    "an approval of another commit": retarget("approved/2"),
    "a proposal of another commit": retarget("proposal/2"),
    "a deploy of another commit": retarget("deployed/2"),
    "a denial made a withdrawal": turn_denial_into_withdrawal,
    "a denial removed": remove_tag("denied/3"),
    "the first deploy removed": remove_tag("deployed/0"),
    "a record removed": remove_record,
    "all records removed, and begun again": remove_all_records,
    "a record with another base": record_another_base,
    "a record with another tree": record_another_tree,
    "a record of an approval for a denial": record_an_approval_of_what_was_denied,
    "a record of another proposal": copy_a_record,
    "a record that was edited": edit_a_record,
    "a record without signatures": strip_signatures,
    "a record that is none": write_nonsense,
}


def test_a_tag_of_an_engine_that_knew_neither_what_was_seen_nor_a_restart_verifies(history: AgentRepos) -> None:
    rewrite("approved/4", "tag-rewritten", ', "seen": null, "restart": false', "")(history)
    assert asyncio.run(problems(history)) == ()
    old = {"name": "anna", "uid": 1000, "role": "decide", "source": "local"}
    assert DecidedBy.model_validate(old).key is None


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_what_was_changed_afterwards_is_named(history: AgentRepos, name: str) -> None:
    wanted = MANIPULATIONS[name](history)
    found = asyncio.run(problems(history))
    assert Expected(wanted.proposal, wanted.code, wanted.commit).is_in(found), found
    assert last_problems(history.host) == len(found)


async def test_a_signature_of_a_key_that_is_not_allowed_is_named(history: AgentRepos, tmp_path: Path) -> None:
    shutil.rmtree(history.host.paths.record_key.parent)
    before = history.host.paths.allowed_signers.read_text()
    number = await deny(history, "by a new key")
    history.host.paths.allowed_signers.write_text(before)
    (found,) = await problems(history)
    assert (found.proposal, found.code) == (number, ProblemCode.SIGNER)
    assert "SHA256:" in found.text


async def test_a_key_counts_only_while_it_was_allowed(history: AgentRepos) -> None:
    line = history.host.paths.allowed_signers.read_text()
    at = Decision.model_validate(reading.predicate(history.applied.git_dir, 2)).at
    before, after = ((at + shift).strftime("%Y%m%d%H%M%SZ") for shift in (timedelta(seconds=-2), timedelta(days=1)))
    assert await problems(history, line.replace('",valid', f'",valid-before="{after}",valid')) == ()
    found = await problems(history, line.replace('",valid', f'",valid-before="{before}",valid'))
    assert {one.code for one in found} == {ProblemCode.SIGNER}
    assert {2, 3, 4} <= {one.proposal for one in found}
    assert {one.code for one in await problems(history, "")} == {ProblemCode.SIGNER}


async def test_an_operators_signature_counts_for_that_operator_only(history: AgentRepos, tmp_path: Path) -> None:
    key = await asyncio.to_thread(reading.new_key, tmp_path / "key")
    signing = replace(history.host, settings=Settings(console=ConsoleSection(sign_key=str(key))))
    made = await history.pin(history.commit({"change": "signed"}))
    await decide.deny(signing, made.id, "No", OPERATOR)
    line = history.host.paths.allowed_signers.read_text()
    public = key.with_suffix(".pub").read_text()
    assert await problems(history, f"{line}anna {public}") == ()
    for other in ("", f"bert {public}"):
        (found,) = await problems(history, line + other)
        assert (found.proposal, found.code) == (made.id, ProblemCode.SIGNER)


async def test_the_key_of_whoever_decides_first_does_not_sign_what_was_there_before(
    repos: AgentRepos, tmp_path: Path
) -> None:
    key = await asyncio.to_thread(reading.new_key, tmp_path / "key")
    signing = replace(repos.host, settings=Settings(console=ConsoleSection(sign_key=str(key))))
    made = await repos.pin(repos.commit({"change": "signed"}))
    await decide.deny(signing, made.id, "No", OPERATOR)
    allowed = repos.host.paths.allowed_signers
    allowed.write_text(f"{allowed.read_text()}anna {key.with_suffix('.pub').read_text()}")
    assert await problems(repos) == ()


async def test_a_deploy_of_another_system_than_the_approved_effect_is_named(history: AgentRepos) -> None:
    number = await deploy(history, "5", OTHER)
    (found,) = await problems(history)
    assert (found.proposal, found.code) == (number, ProblemCode.SYSTEM)


async def test_decisions_from_before_records_are_told_as_such_and_compared(repos: AgentRepos) -> None:
    for number in (1, 2):
        made = await repos.pin(repos.commit({"change": str(number)}))
        await decide.deny(repos.host, made.id, "No", OPERATOR)
    for number in (1, 2):  # what an engine without records leaves
        text = git(repos, "cat-file", "tag", f"denied/{number}").replace('"record"', '"x"')
        value = git(repos, "hash-object", "-t", "tag", "-w", "--stdin", stdin=text.encode() + b"\n")
        git(repos, "update-ref", f"refs/tags/denied/{number}", value)
    for name in keeping.record_refs(repos.applied.git_dir):
        git(repos, "update-ref", "-d", f"refs/hive/records/{name}")
    found = await verify(repos.host)
    assert (found.problems, found.checked, found.before_records) == ((), 0, 2)
    await repair(repos.host)
    await deploy(repos, "3")
    found = await verify(repos.host)
    assert (found.problems, found.checked, found.before_records) == ((), 2, 2)
    git(repos, "update-ref", "-d", "refs/tags/denied/2")
    (problem,) = await problems(repos)
    assert (problem.proposal, problem.code) == (2, ProblemCode.TAG)


async def test_a_pending_proposal_and_a_failed_deploy_are_no_problem(history: AgentRepos) -> None:
    await history.pin(history.commit({"change": "pending"}))
    made = await history.pin(history.commit({"change": "fails"}))
    await decide.approve(history.host, made.id, made.commit, history.main, OPERATOR)
    assert await problems(history) == ()
    await claims.mark_failed(history.host, NAME, made.id, "It did not build")
    assert await problems(history) == ()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_hundred_decisions_verify(repos: AgentRepos) -> None:
    first = await deploy(repos, "first")
    commit = repos.fetch(repos.commit({"change": "never"}))
    for number in range(33):
        await roll_back(repos, first if number % 2 else 0)
        denied, withdrawn = await repos.pin(commit), await repos.pin(commit)
        await decide.deny(repos.host, denied.id, "Not this", OPERATOR)
        await decide.withdraw(repos.host, withdrawn.id, Operator(name="bert", uid=1001, source="ssh 10.0.0.1"))
    found = await verify(repos.host)
    assert (found.problems, found.checked) == ((), 101)
