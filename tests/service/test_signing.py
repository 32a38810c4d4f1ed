"""A decision through an engine elsewhere is signed beside its operator's key, and by no key of the engine's host."""

from __future__ import annotations

import asyncio
import base64
import copy
import dataclasses
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hivetui import cli
from hivetui.client.signing import FindSigner, Sign, sign_statements
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.dsse import signed_bytes
from hivetui.engine.model.errors import BadConfiguration, HiveError, NotAllowed, Stale
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.records import GivenSignatures, Seen
from hivetui.engine.model.settings import ConsoleSection, DeploySection, Settings
from hivetui.engine.records import signing
from hivetui.engine.records.statements import Verdict, compact_json
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.engine.records import reading
from tests.free_names import free_name
from tests.service.conftest import EngineProcess
from tests.service.served import Served, serving


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return reading.new_key(tmp_path / "id_ed25519")


def signs_with(agent: EmbeddedAgent, key: Path) -> FindSigner:
    """What a console beside this key has."""

    async def sign(data: bytes) -> str:
        return (await signing.sign_as_operator(agent.host, key, data)).text.decode("ascii")

    async def find() -> Sign:
        return sign

    return find


def allow(agent: EmbeddedAgent, name: str, key: Path) -> None:
    allowed = agent.host.paths.allowed_signers
    allowed.parent.mkdir(parents=True, exist_ok=True)
    known = allowed.read_text() if allowed.exists() else ""
    allowed.write_text(f'{known}{name} namespaces="git" {key.with_suffix(".pub").read_text()}')


def recorded(agent: EmbeddedAgent, number: int, git_dir: Path | None = None) -> tuple[str, list[str]]:
    """What a record is called, and who signed its last statement."""
    found = reading.envelopes(git_dir or agent.host.paths.meta / ".git", number)[-1]
    allowed = agent.host.paths.allowed_signers
    return reading.statement(found)["predicate"]["signed"], reading.signers(found, allowed, allowed.parent)


async def test_a_decision_through_a_service_is_signed_beside_its_operators_key(
    served: Served, agent: EmbeddedAgent, key: Path
) -> None:
    number = await served.proposal(free_name())
    hive = await served.remote(find_signer=signs_with(agent, key))
    me = (await (await served.raw()).ask(id=1, verb="hello", schema="hivetui/1"))["operator"]
    with pytest.raises(NotAllowed, match="may not sign for"):
        await hive.deny(number, "  Not \N{SNOWMAN} this ")
    assert await served.state(number) is ProposalState.PENDING
    allow(agent, me, key)
    await hive.deny(number, "  Not \N{SNOWMAN} this ")
    assert recorded(agent, number) == ("signed", [me, "host"])
    assert (await served.local.verify()).problems == ()
    await hive.close()


@pytest.mark.slow
async def test_an_approval_a_withdrawal_and_a_rollback_are_signed_beside_the_key_too(
    served: Served, agent: EmbeddedAgent, key: Path
) -> None:
    hive = await served.remote(find_signer=signs_with(agent, key))
    me = (await (await served.raw()).ask(id=1, verb="hello", schema="hivetui/1"))["operator"]
    allow(agent, me, key)
    withdrawn = await served.proposal(free_name())
    await hive.withdraw(withdrawn)
    assert recorded(agent, withdrawn) == ("signed", [me, "host"])
    asked = await hive.submit(agent.name, agent.commit("  # the same system"))
    seen = Seen(hunks=("a" * 64,))
    approved = await hive.approve(asked.id, asked.commit, asked.base, "fine", seen=seen, restart=True)
    assert [one async for one in hive.follow(approved.id)]
    back = await hive.rollback(agent.name, 0, "It broke")
    assert [one async for one in hive.follow(back.id)]
    assert back.proposal is not None
    for number in (asked.id, back.proposal):
        assert recorded(agent, number, agent.applied.git_dir) == ("signed", [me, "host"])
    assert (await served.local.verify()).problems == ()
    await hive.close()


async def test_a_key_of_the_engines_host_signs_for_nobody_else(agent: EmbeddedAgent, key: Path) -> None:
    settings = Settings(console=ConsoleSection(sign_key=str(key)), deploy=DeploySection(health_seconds=0))
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        number = await served.proposal(free_name())
        hive = await served.remote()
        await hive.deny(number, "No")
        assert recorded(agent, number) == ("witnessed", ["host"])
        await hive.close()


async def test_a_decision_whose_key_cannot_sign_is_refused_before_it_is_made(
    served: Served, agent: EmbeddedAgent, tmp_path: Path
) -> None:
    number = await served.proposal(free_name())
    hive = await served.remote(find_signer=signs_with(agent, tmp_path / "missing"))
    with pytest.raises(BadConfiguration, match=r"console\.sign_key"):
        await hive.deny(number, "No")
    assert await served.state(number) is ProposalState.PENDING
    await hive.close()


async def test_signatures_count_for_the_very_decision_that_was_signed_and_not_for_long(
    agent: EmbeddedAgent, key: Path
) -> None:
    hive = LocalHive(agent.host, OPERATOR)
    allow(agent, OPERATOR.name, key)
    number = (await hive.request_spawn(free_name())).id
    prepared = await hive.prepare_refusal(Verdict.DENY, number, "No", ())
    (envelope,) = prepared.envelopes
    text = (await signing.sign_as_operator(agent.host, key, envelope.signed_bytes())).text.decode("ascii")
    given = GivenSignatures(at=prepared.at, signatures=(text,))
    old = given.model_copy(update={"at": prepared.at - timedelta(minutes=11)})
    other = given.model_copy(update={"at": prepared.at - timedelta(microseconds=1)})
    wrong: list[tuple[GivenSignatures, str, type[HiveError]]] = [
        (given, "Yes", Stale),
        (other, "No", Stale),
        (old, "No", Stale),
        (given.model_copy(update={"signatures": (text, text)}), "No", HiveError),
        (given.model_copy(update={"signatures": ("nonsense",)}), "No", HiveError),
    ]
    for one, note, error in wrong:
        with pytest.raises(error, match=r"nothing was decided|cannot be read"):
            await hive.with_signatures(one).deny(number, note)
    with pytest.raises(Stale):
        await hive.with_signatures(given).withdraw(number)
    assert (await hive.review(number)).proposal.state is ProposalState.PENDING
    await hive.with_signatures(given).deny(number, "No")
    assert (await hive.verify()).problems == ()
    await hive.close()


@pytest.mark.slow
def test_a_verb_signs_with_the_key_of_whoever_runs_it_and_the_engine_does_not(
    engine: EngineProcess, agent: EmbeddedAgent, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = asyncio.run(LocalHive(agent.host, OPERATOR).request_spawn(free_name())).id
    allow(agent, from_environment(os.environ).name, key)
    monkeypatch.setenv("HIVETUI_CONSOLE__SIGN_KEY", str(key))
    assert cli.main(["--embedded", str(engine.folder), "deny", str(number), "--note", "No"]) == 0
    assert recorded(agent, number)[0] == "signed"


COMMIT, BASE, TREE = "a" * 40, "b" * 40, "c" * 40
MEMBERS = {
    **{"proposal": 7, "commit": COMMIT, "base": BASE, "note": "fine", "acknowledge": ["x@1:0"], "effect": "/d.drv"},
    **{"seen": {"blobs": [COMMIT], "hunks": []}, "restart": True},
}


def honest() -> list[dict[str, Any]]:
    """What an engine says of the approval with these members."""
    predicate = {
        **{
            "proposal": 7,
            "agent": "iris",
            "kind": "deploy",
            "decision": "approve",
            "at": datetime.now(UTC).isoformat(),
        },
        **{"operator": {"name": "ada"}, "commit": COMMIT, "base": BASE, "tree": TREE, "note": "fine", "restart": True},
        **{"effect": {"derivation": "/d.drv"}, "seen": MEMBERS["seen"]},
        "findings": [{"id": "x@1:0", "acknowledged": True}, {"id": "y@1:0", "acknowledged": False}],
    }
    subject = [{"name": "commit", "digest": {"gitCommit": COMMIT}}, {"name": "tree", "digest": {"gitTree": TREE}}]
    kind = "https://in-toto.io/Statement/v1"
    ours = {"_type": kind, "subject": subject, "predicateType": "urn:hivetui:decision:v1", "predicate": predicate}
    gittuf = {
        "type": kind,
        "subject": [{"digest": {"gitTree": TREE}}],
        "predicate_type": "https://gittuf.dev/reference-authorization/v0.2",
        "predicate": {"fromID": BASE, "targetID": TREE, "targetRef": "refs/heads/main"},
    }
    return [gittuf, ours]


def sign(statements: list[Any], kinds: tuple[str, ...] = ("gittuf", "in-toto")) -> tuple[dict[str, Any], list[bytes]]:
    """The member `signed` that a client makes of these statements, and what it signed."""
    signed: list[bytes] = []

    async def note(data: bytes) -> str:
        signed.append(data)
        return "signature"

    payloads = [base64.b64encode(compact_json(one)).decode() for one in statements]
    answer = {
        "statements": [
            {"type": f"application/vnd.{kind}+json", "payload": one} for kind, one in zip(kinds, payloads, strict=True)
        ]
    }
    return asyncio.run(sign_statements(answer, "approve", "ada", MEMBERS, note)), signed


def test_what_was_decided_is_signed_in_both_spellings() -> None:
    statements = honest()
    made, signed = sign(statements)
    assert made == {"at": statements[1]["predicate"]["at"], "signatures": ["signature"] * 2}
    kinds = ("application/vnd.gittuf+json", "application/vnd.in-toto+json")
    assert signed == [signed_bytes(kind, compact_json(one)) for kind, one in zip(kinds, statements, strict=True)]


def change(place: str, value: object, number: int = 1) -> Callable[[list[dict[str, Any]]], None]:
    def act(statements: list[dict[str, Any]]) -> None:
        *path, last = place.split(".")
        found: Any = statements[number]
        for step in path:
            found = found[int(step) if step.isdigit() else step]
        found[last] = value

    return act


FORGERIES: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "another commit": change("predicate.commit", "e" * 40),
    "another subject": change("subject.0.digest", {"gitCommit": "e" * 40}),
    "another base": change("predicate.base", "e" * 40),
    "another proposal": change("predicate.proposal", 8),
    "another kind": change("predicate.kind", "spawn"),
    "another decision": change("predicate.decision", "rollback"),
    "another operator": change("predicate.operator", {"name": "eve"}),
    "another note": change("predicate.note", "fine too"),
    "another effect": change("predicate.effect", {"derivation": "/e.drv"}),
    "no effect": change("predicate.effect", None),
    "more seen": change("predicate.seen", {"blobs": [BASE, COMMIT], "hunks": []}),
    "nothing seen": change("predicate.seen", None),
    "no restart": change("predicate.restart", False),
    "more acknowledged": change("predicate.findings.1.acknowledged", True),
    "nothing acknowledged": change("predicate.findings", []),
    "a time long ago": change("predicate.at", (datetime.now(UTC) - timedelta(days=1)).isoformat()),
    "no time": change("predicate.at", "now"),
    "another type": change("predicateType", "urn:hivetui:inventory:v1"),
    "no predicate": change("predicate", None),
    "another ref": change("predicate.targetRef", "refs/heads/other", 0),
    "another move": change("predicate.fromID", "e" * 40, 0),
    "another tree": change("predicate.targetID", "e" * 40, 0),
    "more authorized": change("predicate.more", 1, 0),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_nothing_is_signed_but_what_was_decided(name: str) -> None:
    statements = copy.deepcopy(honest())
    FORGERIES[name](statements)
    with pytest.raises(NotAllowed, match="so nothing was signed"):
        sign(statements)


@pytest.mark.parametrize("kinds", [("in-toto", "gittuf"), ("in-toto", "in-toto"), ("gittuf", "other")])
def test_statements_of_other_types_are_not_signed(kinds: tuple[str, ...]) -> None:
    with pytest.raises(NotAllowed, match="so nothing was signed"):
        sign(honest(), kinds)


@pytest.mark.parametrize("statements", [[], [[], []], [7, None], ["x", {}]])
def test_what_is_no_statement_is_not_signed(statements: list[Any]) -> None:
    with pytest.raises(NotAllowed, match="so nothing was signed"):
        sign(statements, ("gittuf", "in-toto")[: len(statements)])
