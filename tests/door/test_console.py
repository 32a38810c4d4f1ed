"""The console through the door, as an operator has it with OpenSSH's client in a real terminal."""

from __future__ import annotations

import pytest

from hivetui.engine.hive import LocalHive
from hivetui.engine.model.proposals import ProposalState
from tests.conftest import OPERATOR
from tests.console.conftest import Terminal
from tests.door.conftest import Opened, needs_ssh

pytestmark = [needs_ssh, pytest.mark.slow]


def deny(console: Terminal, number: int) -> None:
    """The keys with which an operator denies a pending proposal from the list."""
    console.type("2")
    console.until("2:proposals*", f"#{number}")
    console.type("d")
    console.until("required")
    console.settle()
    console.type("not on Friday")
    console.until("not on Friday")
    console.settle()
    console.type("\r")


async def test_a_decision_through_the_door_bears_the_operators_name_address_and_key(opened: Opened) -> None:
    door, hive = opened()
    local = LocalHive(hive.agent.host, OPERATOR)
    number = (await local.request_spawn(hive.agent.free_name())).id
    console = door.ssh("ada")
    console.until(hive.agent.name)
    deny(console, number)
    console.until("denied")
    console.type("Q")
    assert console.ended() == 0
    assert console.is_restored()
    proposal = (await local.review(number)).proposal
    assert (proposal.state, proposal.decided_by) == (ProposalState.DENIED, "ada")
    events = hive.agent.host.paths.event_log.read_text()
    assert f'"ssh 127.0.0.1 {door.keys["ada"].get_fingerprint()}"' in events


async def test_an_operator_who_looks_sees_everything_and_decides_nothing(opened: Opened) -> None:
    door, hive = opened()
    local = LocalHive(hive.agent.host, OPERATOR)
    number = (await local.request_spawn(hive.agent.free_name())).id
    console = door.ssh("lois")
    console.until(hive.agent.name)
    deny(console, number)
    console.until("may not use deny")
    assert (await local.review(number)).proposal.state is ProposalState.PENDING
