"""Which agents a host has."""

from __future__ import annotations

import pytest

from hivetui.engine.agents import agent_list, intent
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import NotFound


def create_conf(host: Host, container: str) -> None:
    host.paths.containers.mkdir(parents=True, exist_ok=True)
    (host.paths.containers / f"{container}.conf").touch()


def test_foreign_containers_are_not_agents(host: Host) -> None:
    for container in ("h-zoe", "h-adam", "hm1nd", "web", "h-a-name-too-long"):
        create_conf(host, container)
    assert agent_list.agents_with_containers(host) == ("adam", "hm1nd", "zoe")


def test_an_agent_is_known_by_its_container_its_applied_repo_or_its_intent(host: Host) -> None:
    create_conf(host, "h-ada")
    host.paths.applied_of("bob").mkdir(parents=True)
    intent.set_wanted(host.paths, "carl", Wanted.STOPPED)
    host.paths.proposed("dave").mkdir(parents=True)
    assert agent_list.known_agents(host) == ("ada", "bob", "carl")
    assert agent_list.destroyed_agents(host, ["h-ada"]) == ("bob",)
    assert agent_list.destroyed_agents(host, ["h-bob"]) == ()


def test_any_trace_is_enough_for_an_agent_that_is_named(host: Host) -> None:
    create_conf(host, "h-ada")
    host.paths.applied_of("bob").mkdir(parents=True)
    intent.set_wanted(host.paths, "carl", Wanted.STOPPED)
    host.paths.proposed("dave").mkdir(parents=True)
    for name in ("ada", "bob", "carl", "dave"):
        agent_list.require_agent(host.paths, name)
    with pytest.raises(NotFound, match="There is no agent erin"):
        agent_list.require_agent(host.paths, "erin")
