"""Several operations at once on a real host."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.host.machine import Machine

pytestmark = pytest.mark.host

PROFILES = "/nix/var/nix/profiles/per-container"
ROUNDS = int(os.environ.get("HIVE_HOST_ROUNDS", "20"))


def test_two_rebuilds_at_once_many_times_never_give_an_agent_the_others_system(host: Machine) -> None:
    names = ("twin1", "twin2")
    for name in names:
        host.hivetui("spawn", name)

    def rebuild(name: str, quota: int) -> None:
        """Rebuild with another limit than before: what runs already, unchanged, would be left alone."""
        env = f"HIVETUI_DEPLOY__HEALTH_SECONDS=0 HIVETUI_LIMITS__CPU_QUOTA={quota}%"
        host.hivetui("rebuild", name, timeout=600, env=env)

    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            list(pool.map(rebuild, names, (201 + number, 201 + number)))
            for name in names:
                host.sh(f"grep -qx HIVE_LABEL={name} $(readlink -f {PROFILES}/h-{name}/system)/env")
    for name in names:
        host.hivetui("destroy", name, "--purge", "--confirm", name)
