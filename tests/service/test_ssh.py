"""A line to a hive elsewhere that is cut: nothing is done twice, nothing is missed."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from hivetui.engine.model.errors import NotAllowed, Unavailable
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.operations import OperationKind
from tests.conftest import EmbeddedAgent
from tests.service.conftest import EngineProcess, over_ssh
from tests.ssh_server import USER, SshServer, needs_sshd, ssh_agent

pytestmark = [needs_sshd, pytest.mark.slow]
SECONDS = 60.0


@pytest.mark.parametrize("pause", [0.0, 0.002, 0.02, 0.2])
async def test_a_decision_whose_line_is_cut_is_made_once_and_what_became_of_it_is_known(
    agent: EmbeddedAgent, engine: EngineProcess, ssh_server: SshServer, pause: float
) -> None:
    hive = await over_ssh(ssh_server, engine.socket)
    proposal = await hive.submit(agent.name, agent.commit("  # one"))
    deciding = asyncio.ensure_future(hive.approve(proposal.id, proposal.commit, proposal.base))
    await asyncio.sleep(pause)
    ssh_server.cut()
    try:
        number = (await asyncio.wait_for(deciding, SECONDS)).id
    except Unavailable:  # it was not carried out: a second approval would be refused otherwise
        number = (await hive.approve(proposal.id, proposal.commit, proposal.base)).id
    await hive.operation(number)  # waits for a new line, if it was cut when all was done
    deploys = [one.id for one in await hive.operations(ended=True) if one.kind is OperationKind.DEPLOY]
    assert deploys == [number]
    async for _ in hive.follow(number):
        pass
    await hive.close()


async def test_what_is_done_over_ssh_is_recorded_as_such_and_its_address_as_unknown(
    agent: EmbeddedAgent, engine: EngineProcess, ssh_server: SshServer
) -> None:
    hive = await over_ssh(ssh_server, engine.socket)
    await hive.submit(agent.name, agent.commit("  # one"))
    local = await engine.hive()
    await local.submit(agent.name, agent.commit("  # two"))
    for one in (hive, local):
        await one.close()
    lines = agent.host.paths.event_log.read_text().splitlines()
    submitted = [event for event in map(json.loads, lines) if event.get("proposal")]
    assert [(event["operator"], event["source"]) for event in submitted] == [(USER, "ssh unknown"), (USER, "local")]


async def test_the_login_is_that_of_the_ssh_agent_of_the_user(
    engine: EngineProcess, ssh_server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The private key is in the agent only."""
    key = tmp_path / "home/.ssh/id_ed25519"
    with ssh_agent(tmp_path / "agent.sock", key) as socket:
        key.unlink()
        with pytest.raises(NotAllowed):
            await over_ssh(ssh_server, engine.socket)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        hive = await over_ssh(ssh_server, engine.socket)
        assert hive.role == "decide"
        await hive.close()


async def test_a_log_and_the_changes_of_the_hive_go_on_after_the_last_one_that_came(
    agent: EmbeddedAgent, engine: EngineProcess, ssh_server: SshServer
) -> None:
    hive = await over_ssh(ssh_server, engine.socket)
    async with aclosing(hive.watch()) as updates:
        first = await asyncio.wait_for(anext(updates), SECONDS)
    followed = hive.logs(LogQuery(agents=(agent.name,), follow=True))
    lines: list[LogLine] = []
    async with aclosing(followed):
        lines += await asyncio.wait_for(anext(followed), SECONDS)
        before = len(lines)
        ssh_server.cut()
        while len(lines) < before + 2:
            lines += await asyncio.wait_for(anext(followed), SECONDS)
    whole = [line async for batch in hive.logs(LogQuery(agents=(agent.name,), lines=None)) for line in batch]
    start = whole.index(lines[0])
    assert lines == whole[start : start + len(lines)]
    await hive.begin(OperationKind.STOP, agent.name)
    async with aclosing(hive.watch(first.seq, first.instance)) as updates:
        again = await asyncio.wait_for(anext(updates), SECONDS)
    assert (again.seq, again.snapshot) == (first.seq + 1, None)
    await hive.close()
