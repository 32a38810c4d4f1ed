"""A demo whose agents cannot have their ports says which, and who has them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hivetui.demo.taken_ports import describe_taken
from hivetui.engine.model.names import port_of
from tests.free_names import free_names

_LISTEN = """
import socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[-1])))
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def agent_of(hive: Path, port: int, script: Path) -> Iterator[None]:
    """A process that listens, and has the command line of an agent of an embedded hive."""
    script.parent.mkdir(parents=True)
    script.write_text(_LISTEN)
    argv = [sys.executable, str(script), "--packages=/x", str(hive), "agent", "h-x", str(port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.communicate()


def test_the_hive_that_has_a_port_is_named(tmp_path: Path) -> None:
    name, mine, other = free_names(1)[0], tmp_path / "mine", tmp_path / "other"
    assert describe_taken(mine, [name]) is None
    with agent_of(other, port_of(name), tmp_path / "hivetui/embedded/launch.py"):
        taken = f"{name} needs port {port_of(name)}, which the hive in {other} has"
        assert describe_taken(mine, [name]) == f"Not every agent of this demo can run: {taken}"
        assert describe_taken(other, [name]) is None, "its own agent"


def test_another_process_that_has_a_port_is_named(tmp_path: Path) -> None:
    name = free_names(1)[0]
    with socket.create_server(("127.0.0.1", port_of(name))):
        taken = describe_taken(tmp_path, [name])
    assert taken is not None
    assert f"port {port_of(name)}, which python" in taken
