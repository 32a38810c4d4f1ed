"""Every decision leaves a record that others can read, name it by its tag, and survives kills and a purge."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from hivetui.engine.events import journal
from hivetui.engine.git.commands import Git
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadConfiguration
from hivetui.engine.model.findings import Acknowledgement, Finding, Severity
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.records import MAX_SEEN, EffectReference, RulesReference, Seen
from hivetui.engine.model.settings import ConsoleSection, Settings
from hivetui.engine.proposals import decide, queries, recording, submit
from hivetui.engine.proposals.tags import MetaTagStore
from hivetui.engine.records import keeping
from hivetui.engine.recovery.repair import repair
from hivetui.wire.frames import MAX_REQUEST_BYTES
from tests.engine.records import reading
from tests.event_log import last_events

if TYPE_CHECKING:
    from tests.engine.conftest import AgentRepos

FINDING = Finding(
    id="user-wheel@1:0123456789abcdef",
    rule="user-wheel",
    severity=Severity.CRITICAL,
    file="agent.nix",
    line=3,
    side="new",
    node="users.users.x.extraGroups",
    text="wheel",
    why="It is root.",
)
EFFECT = EffectReference(derivation="/nix/store/a.drv", system="/nix/store/a", unknown=("services",), digest="d" * 64)
RULES = RulesReference(set="5" * 64, silenced=("info-package",))


async def approve(repos: AgentRepos, operator: Operator, text: str = "1", **basis: object) -> int:
    made = await repos.pin(repos.commit({"change": text}))
    await decide.approve(repos.host, made.id, made.commit, repos.main, operator, "Fine", **basis)  # type: ignore[arg-type]
    return made.id


async def test_an_approval_is_recorded_with_gittufs_statement_and_ours(
    repos: AgentRepos, operator: Operator, tmp_path: Path
) -> None:
    base = repos.main
    number = await approve(repos, operator, acknowledged=(FINDING.id,), findings=[FINDING], rules=RULES, effect=EFFECT)
    commit = reading.git(repos.applied.git_dir, "rev-parse", f"refs/tags/proposal/{number}^{{commit}}")
    tree = reading.git(repos.applied.git_dir, "rev-parse", f"{commit}^{{tree}}")
    gittuf, ours = reading.envelopes(repos.applied.git_dir, number)
    assert (gittuf["payloadType"], ours["payloadType"]) == (
        "application/vnd.gittuf+json",
        "application/vnd.in-toto+json",
    )
    assert json.dumps(reading.statement(gittuf)) == json.dumps(
        {
            "type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"gitTree": tree}}],
            "predicate_type": "https://gittuf.dev/reference-authorization/v0.2",
            "predicate": {"fromID": base, "targetID": tree, "targetRef": "refs/heads/main"},
        }
    )
    at = reading.statement(ours)["predicate"]["at"]
    assert at.endswith("Z")
    assert json.dumps(reading.statement(ours)) == json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                {"name": "commit", "digest": {"gitCommit": commit}},
                {"name": "tree", "digest": {"gitTree": tree}},
            ],
            "predicateType": "urn:hivetui:decision:v1",
            "predicate": {
                "proposal": number,
                "agent": repos.name,
                "kind": "deploy",
                "decision": "approve",
                "at": at,
                "operator": {"name": "anna", "uid": 1000, "role": "decide", "source": "local", "key": None},
                "commit": commit,
                "base": base,
                "tree": tree,
                "meta": None,
                "effect": EFFECT.model_dump(mode="json"),
                "findings": [
                    {
                        "id": FINDING.id,
                        "severity": "critical",
                        "file": "agent.nix",
                        "line": 3,
                        "acknowledged": True,
                        "first": number,
                    }
                ],
                "rules": RULES.model_dump(mode="json"),
                "seen": None,
                "note": "Fine",
                "lines": [],
                "signed": "witnessed",
            },
        }
    )
    for envelope in (gittuf, ours):
        assert list(envelope) == ["payloadType", "payload", "signatures"]
        assert reading.signers(envelope, repos.host.paths.allowed_signers, tmp_path) == ["host"]


async def test_the_tag_names_the_record_and_the_event_and_the_journal_do_too(
    repos: AgentRepos, operator: Operator
) -> None:
    number = await approve(repos, operator)
    blob = reading.git(repos.applied.git_dir, "rev-parse", f"refs/hive/records/{number}")
    assert (
        json.loads(reading.git(repos.applied.git_dir, "cat-file", "tag", f"approved/{number}").splitlines()[-1])[
            "record"
        ]
        == blob
    )
    (event,) = last_events(repos.host.paths, 1)
    fields = journal.journal_fields(event)
    assert (fields["HIVE_RECORD"], fields["HIVE_PROOF"]) == (blob, "witnessed")
    assert fields["MESSAGE_ID"] == journal.MESSAGE_IDS["approved"]


def test_every_kind_of_entry_in_the_journal_has_an_id_of_its_own() -> None:
    ids = list(journal.MESSAGE_IDS.values())
    assert len(set(ids)) == len(ids) == 7
    assert {len(name) for name in ids} == {32}


async def test_the_key_of_an_ssh_login_is_in_the_record_and_in_the_journal(repos: AgentRepos) -> None:
    ada = Operator(name="ada", uid=991, source="ssh 192.0.2.7 SHA256:abc", key="SHA256:abc")
    number = await approve(repos, ada)
    found = reading.predicate(repos.applied.git_dir, number)["operator"]
    assert found == {"name": "ada", "uid": 991, "role": "decide", "source": ada.source, "key": "SHA256:abc"}
    (event,) = last_events(repos.host.paths, 1)
    assert journal.journal_fields(event)["HIVE_KEY"] == "SHA256:abc"


async def test_what_was_seen_is_in_the_record_and_its_digest_in_the_tag(repos: AgentRepos, operator: Operator) -> None:
    seen = Seen(blobs=("b" * 40, "a" * 40, "b" * 40), hunks=("c" * 64,))
    number = await approve(repos, operator, seen=seen)
    found = reading.predicate(repos.applied.git_dir, number)["seen"]
    assert found == {"blobs": ["a" * 40, "b" * 40], "hunks": ["c" * 64]}
    tag = json.loads(reading.git(repos.applied.git_dir, "cat-file", "tag", f"approved/{number}").splitlines()[-1])
    (_, ours) = reading.envelopes(repos.applied.git_dir, number)
    in_record = re.search(rb'"seen":({[^}]*})', base64.b64decode(ours["payload"]))
    assert in_record is not None
    assert tag["seen"] == hashlib.sha256(in_record[1]).hexdigest() == seen.digest


@pytest.mark.parametrize(
    "wrong",
    [
        {"blobs": ["A" * 40]},
        {"blobs": ["a" * 41]},
        {"blobs": ["a" * 40 + "\n"]},
        {"hunks": ["a" * 40]},
        {"hunks": [7]},
        {"hunks": "a" * 64},
        {"lines": []},
        {"hunks": [f"{number:064x}" for number in range(MAX_SEEN)], "blobs": ["a" * 40]},
    ],
)
def test_what_is_no_set_of_hashes_was_not_seen(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Seen.model_validate(wrong)


def test_what_is_too_much_for_a_record_is_not_known_to_have_been_seen() -> None:
    hunks = [f"{number:064x}" for number in range(MAX_SEEN)]
    assert len((Seen.if_few([], hunks) or Seen()).hunks) == MAX_SEEN
    assert Seen.if_few(["a" * 40], hunks) is None
    content = json.dumps({"id": 1, "verb": "approve", "seen": {"blobs": [], "hunks": hunks}})
    assert len(content) < MAX_REQUEST_BYTES * 3 // 4


async def test_a_denial_and_a_withdrawal_are_recorded_without_an_authorization(
    repos: AgentRepos, operator: Operator
) -> None:
    denied, withdrawn = [await repos.pin(repos.commit({"change": text})) for text in ("1", "2")]
    await decide.deny(repos.host, denied.id, "Not this", operator, [FINDING])
    await decide.withdraw(repos.host, withdrawn.id, operator, [FINDING])
    for made, decision, note in ((denied, "deny", "Not this"), (withdrawn, "withdraw", "")):
        (ours,) = reading.envelopes(repos.applied.git_dir, made.id)
        found = reading.statement(ours)["predicate"]
        assert (found["decision"], found["note"]) == (decision, note)
        assert [one["acknowledged"] for one in found["findings"]] == [False]


async def test_a_rollback_is_recorded_as_one(repos: AgentRepos, operator: Operator) -> None:
    made = await repos.pin(repos.commit({"change": "1"}))
    await repos.mark_deployed(made.id, made.commit or "")
    claim = await decide.approve_rollback(repos.host, repos.name, 0, "It broke", operator)
    gittuf, ours = reading.envelopes(repos.applied.git_dir, claim.proposal)
    found = reading.statement(ours)["predicate"]
    assert (found["kind"], found["decision"], found["effect"], found["findings"]) == (
        "rollback",
        "rollback",
        None,
        None,
    )
    assert reading.statement(gittuf)["predicate"]["fromID"] == made.commit


async def test_what_was_acknowledged_in_an_earlier_proposal_says_in_which(
    repos: AgentRepos, operator: Operator
) -> None:
    earlier = Acknowledgement(proposal=6, operator="ada", at=repos.host.clock())
    again = FINDING.model_copy(update={"acknowledged": earlier})
    number = await approve(repos, operator, acknowledged=(FINDING.id,), findings=[again])
    assert reading.predicate(repos.applied.git_dir, number)["findings"][0]["first"] == 6


async def test_the_first_record_lists_what_was_there_before(repos: AgentRepos, operator: Operator) -> None:
    made = await repos.pin(repos.commit({"change": "1"}))
    before = reading.git(
        repos.applied.git_dir, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/tags"
    )
    main = repos.main
    await decide.deny(repos.host, made.id, "No", operator)
    (first,) = reading.envelopes(repos.applied.git_dir, 0)
    found = reading.statement(first)
    assert found["predicateType"] == "urn:hivetui:inventory:v1"
    assert found["predicate"]["tags"] == dict(line.split() for line in before.splitlines())
    assert found["predicate"]["main"] == main


async def test_an_operators_key_signs_besides_and_the_record_is_called_signed(
    repos: AgentRepos, operator: Operator, tmp_path: Path
) -> None:
    key = reading.new_key(tmp_path / "id_ed25519")
    signing = replace(repos.host, settings=Settings(console=ConsoleSection(sign_key=str(key))))
    made = await repos.pin(repos.commit({"change": "1"}))
    await decide.deny(signing, made.id, "No", operator)
    allowed = repos.host.paths.allowed_signers
    allowed.write_text(allowed.read_text() + f"anna {key.with_suffix('.pub').read_text()}")
    (ours,) = reading.envelopes(repos.applied.git_dir, made.id)
    assert reading.statement(ours)["predicate"]["signed"] == "signed"
    assert reading.signers(ours, allowed, tmp_path) == ["anna", "host"]
    assert (await queries.find_proposal(repos.host, made.id)).decider == "anna (signed)"


async def test_a_decision_with_an_operators_key_that_cannot_sign_is_refused(
    repos: AgentRepos, operator: Operator, tmp_path: Path
) -> None:
    signing = replace(repos.host, settings=Settings(console=ConsoleSection(sign_key=str(tmp_path / "missing"))))
    made = await repos.pin(repos.commit({"change": "1"}))
    with pytest.raises(BadConfiguration, match=r"console\.sign_key"):
        await decide.deny(signing, made.id, "No", operator)
    assert (await queries.find_proposal(repos.host, made.id)).state is ProposalState.PENDING


async def test_without_ssh_keygen_a_decision_is_recorded_unsigned(
    repos: AgentRepos, operator: Operator, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("git", "sh"):
        found = next(Path(folder, program) for folder in os.get_exec_path() if Path(folder, program).exists())
        (tmp_path / "bin" / program).symlink_to(found)
    bare = replace(repos.host, environment={"PATH": str(tmp_path / "bin")})
    made = await repos.pin(repos.commit({"change": "1"}))
    await decide.deny(bare, made.id, "No", operator)
    (ours,) = reading.envelopes(repos.applied.git_dir, made.id)
    assert (reading.statement(ours)["predicate"]["signed"], ours["signatures"]) == ("unsigned", [])
    assert "ssh-keygen" in repos.host.paths.unsigned_record.read_text()
    again = await repos.pin(repos.commit({"change": "2"}))
    await decide.deny(repos.host, again.id, "No", operator)
    assert not repos.host.paths.unsigned_record.exists()


async def test_a_damaged_key_of_the_host_does_not_keep_an_operator_from_deciding(
    repos: AgentRepos, operator: Operator
) -> None:
    key = repos.host.paths.record_key
    key.parent.mkdir(parents=True)
    key.write_bytes(b"")
    number = await approve(repos, operator)
    assert reading.predicate(repos.applied.git_dir, number)["signed"] == "unsigned"
    assert str(key) in repos.host.paths.unsigned_record.read_text()


async def test_the_hosts_key_is_private_and_made_once_by_whoever_comes_first(
    repos: AgentRepos, operator: Operator
) -> None:
    made = [await repos.pin(repos.commit({"change": str(number)})) for number in range(4)]
    await asyncio.gather(*(decide.deny(repos.host, one.id, "No", operator) for one in made))
    assert repos.host.paths.record_key.stat().st_mode & 0o777 == 0o600
    assert repos.host.paths.record_key.parent.stat().st_mode & 0o777 == 0o700
    assert repos.host.paths.allowed_signers.stat().st_mode & 0o777 == 0o644
    assert len(repos.host.paths.allowed_signers.read_text().splitlines()) == 1


async def test_a_ref_that_was_not_created_is_created_by_the_next_repair(repos: AgentRepos, operator: Operator) -> None:
    made = await repos.pin(repos.commit({"change": "1"}))
    await decide.deny(repos.host, made.id, "No", operator)
    blob = reading.git(repos.applied.git_dir, "rev-parse", f"refs/hive/records/{made.id}")
    reading.git(repos.applied.git_dir, "update-ref", "-d", f"refs/hive/records/{made.id}")
    found = await repair(repos.host)
    assert [(fixed.found, fixed.done) for fixed in found] == [
        (f"the record of decision {made.id} has no ref", "created it")
    ]
    assert reading.git(repos.applied.git_dir, "rev-parse", f"refs/hive/records/{made.id}") == blob
    assert await repair(repos.host) == ()


async def test_a_repo_from_before_records_gets_its_first_one_when_the_hive_is_opened(repos: AgentRepos) -> None:
    assert [fixed.done for fixed in await repair(repos.host)] == ["recorded what was decided before"]
    assert keeping.inventory(repos.applied.git_dir).main == repos.main
    assert await repair(repos.host) == ()


DECIDE = """
import asyncio, os, signal, sys
from itertools import count
from pathlib import Path
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.operations import Operator
from hivetui.engine.proposals import decide
from tests.engine.conftest import new_host
run, numbers = ProcessRunner.run, count(1)
async def killed(self, command, sink=None):
    if next(numbers) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return await run(self, command, sink)
ProcessRunner.run = killed
anna = Operator(name="anna", uid=1, source="local")
asyncio.run(decide.deny(new_host(Path(sys.argv[1])), int(sys.argv[2]), "No", anna))
"""


@pytest.mark.slow
async def test_a_decision_that_is_killed_before_any_program_is_whole_or_was_not_made(repos: AgentRepos) -> None:
    """The programs of a decision make the key, sign, and write the first record, the blob, the tag and the ref."""
    repaired = []
    for program in range(1, 30):
        made = await repos.pin(repos.commit({"change": str(program)}))
        argv = (sys.executable, "-c", DECIDE, str(repos.host.paths.root), str(made.id), str(program))
        ended = (await asyncio.to_thread(subprocess.run, argv, check=False)).returncode
        repaired += [fixed.found for fixed in await repair(repos.host)]
        state = (await queries.find_proposal(repos.host, made.id)).state
        has_record = keeping.record_ref(repos.applied.git_dir, str(made.id)) is not None
        assert has_record == (state is ProposalState.DENIED), program
        assert await repair(repos.host) == ()
        if ended == 0:
            break
        if state is ProposalState.PENDING:
            await decide.deny(repos.host, made.id, "No", Operator(name="anna", uid=1, source="local"))
    else:
        pytest.fail("the decision was killed each time")
    assert any("has no ref" in found for found in repaired)


async def test_a_purge_moves_the_records_of_an_agent_to_meta(repos: AgentRepos, operator: Operator) -> None:
    number = await approve(repos, operator)
    records = keeping.record_refs(repos.applied.git_dir)
    await repository.remember_last_id(repos.host, number)  # creates meta
    meta = Git(repos.host, repos.host.paths.meta)
    for _ in range(2):  # a purge that was killed is repeated
        await keeping.move_to_meta(repos.host, repos.applied.git, repos.name)
        assert keeping.record_refs(meta.git_dir) == {
            str(number): records[str(number)],
            f"0-{repos.name}-{records['0'][:12]}": records["0"],
        }
    assert reading.predicate(meta.git_dir, number)["agent"] == repos.name


async def test_a_spawn_request_is_recorded_in_meta_without_an_authorization(
    repos: AgentRepos, operator: Operator
) -> None:
    await repository.remember_last_id(repos.host, 0)
    meta = repos.host.paths.meta
    await repository.remember_last_id(repos.host, 5)
    env = {
        **os.environ,
        **{f"GIT_{role}_{field}": "x" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")},
    }
    commit = ["git", "commit", "-q", "--allow-empty", "-m", "First"]
    await asyncio.to_thread(subprocess.run, commit, cwd=meta, env=env, check=True)
    made = await submit.request_spawn(repos.host, "newone", "For tests", operator)
    await decide.approve(repos.host, made.id, None, None, operator)
    (ours,) = reading.envelopes(meta / ".git", made.id)
    found = reading.statement(ours)["predicate"]
    assert (found["kind"], found["agent"], found["decision"]) == ("spawn", "newone", "approve")
    assert found["meta"]["commit"] == found["commit"]
    assert dict(recording.unplanted_records(MetaTagStore(repos.host))) == {}
