"""Several operations at once on a real host."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.host import agents
from tests.host.machine import Machine

pytestmark = pytest.mark.host

ROUNDS = 20


def test_two_rebuilds_at_once_twenty_times_never_give_an_agent_the_others_system(host: Machine) -> None:
    names = ("twin1", "twin2")
    for name in names:
        host.hivetui("spawn", name)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            list(pool.map(lambda name: host.hivetui("rebuild", name, timeout=600), names))
            for name in names:
                system = agents.profile(host, f"h-{name}")
                assert f"HIVE_LABEL={name}\n" in host.sh(f"cat {system}/env").out
    for name in names:
        host.hivetui("destroy", name, "--purge", "--confirm", name)
