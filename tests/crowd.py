"""Many agents on an embedded hive, for what must not depend on their number."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from hivetui.embedded import units
from hivetui.embedded.files import write_json
from hivetui.embedded.layout import Layout
from tests.conftest import EmbeddedAgent


@contextmanager
def crowd(agent: EmbeddedAgent, count: int) -> Iterator[None]:
    """So many agents in all: the real one, and others that are copies of its files and "run" as this very process."""
    host, layout = agent.host, Layout(agent.host.paths.root)
    me = units.Unit("", "active", "running", pid=os.getpid(), born=units.start_time(os.getpid()))
    others = [f"z{number}" for number in range(count - 1)]
    for name in others:
        shutil.copytree(host.paths.applied_of(agent.name), host.paths.applied_of(name), symlinks=True)
        shutil.copyfile(host.paths.conf(agent.name), host.paths.conf(name))
        write_json(units.state_file(layout, f"h-{name}"), me._replace(container=f"h-{name}")._asdict())
    try:
        yield
    finally:
        for name in others:  # they are this very process: nothing may end them
            units.state_file(layout, f"h-{name}").unlink(missing_ok=True)
