from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.host.machine import Machine, find_machine


@pytest.fixture(scope="session")
def host() -> Iterator[Machine]:
    """A disposable host with hivetui installed; skipped where there is none, an error where CI must have one."""
    machine = find_machine()
    if machine is None:
        if os.environ.get("HIVE_HOST_REQUIRED"):
            pytest.fail("no disposable host: set HIVE_HOST, or put the lab beside the checkout")
        pytest.skip("no disposable host (HIVE_HOST)")
    machine.install()
    yield machine
    if machine.destroy_command:
        machine.destroy()
