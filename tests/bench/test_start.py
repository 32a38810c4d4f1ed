"""How soon the console is there: words, first frame, agents, beside an empty Python and a minimal Textual app."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from hivetui.embedded import open_embedded
from hivetui.engine.model.settings import Settings
from tests.conftest import EmbeddedAgent
from tests.crowd import crowd

from .conftest import Figure, Record

if TYPE_CHECKING:
    from tests.spawned_hive import SpawnedHive

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
ROUNDS = 7
MINIMAL = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class Minimal(App):\n    def compose(self):\n        yield Static('PAINTED')\nMinimal().run()\n"
)
PLAIN = {"TERM": "xterm-256color", "HIVETUI_EMBEDDED_NIX": "stand-in", "XDG_CONFIG_HOME": "/nonexistent"}
BEGUN = b"\x1b[?2004h"  # Textual's own start; what is painted after it is its first frame


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Compiled modules are kept, for the peers too, as where a program is installed; and away from the sources."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | PLAIN | {"PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}


def milliseconds_until(environment: dict[str, str], argv: list[str], *tokens: bytes) -> list[float]:
    """When each token, one after the other, was read from the pty of a program that is ended then."""
    master, slave = pty.openpty()
    began, came, times = monotonic(), b"", []
    with subprocess.Popen(
        argv, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    ) as process:
        os.close(slave)
        for token in tokens:
            while token not in came:
                assert monotonic() - began < 60, came[-500:]
                if select.select([master], [], [], 0.5)[0]:
                    came += os.read(master, 65536)
            times.append((monotonic() - began) * 1000)
            came = came[came.index(token) + len(token) :]
        process.kill()
    os.close(master)
    return times


def milliseconds_of_an_empty_python(environment: dict[str, str]) -> float:
    began = monotonic()
    subprocess.run([sys.executable, "-c", "pass"], env=environment, check=True)
    return (monotonic() - began) * 1000


def test_a_cold_start_with_agents(record: Record, environment: dict[str, str], hive_of_one: SpawnedHive) -> None:
    with hive_of_one.restored() as folder:
        agent = EmbeddedAgent(open_embedded(folder, Settings()), hive_of_one.agents[0])
        ours = [sys.executable, "-m", "hivetui", "--embedded", str(folder)]
        times, peers = [], []
        with crowd(agent, 50):
            for _ in range(ROUNDS + 1):  # the first compiles
                peers += milliseconds_until(environment, [sys.executable, "-c", MINIMAL], b"PAINTED")
                times += milliseconds_until(environment, ours, agent.name.encode())
    first, peer = median(times[1:]), median(peers[1:])
    record(Figure("start: 50 agents listed", "ms", first, None, "minimal Textual", peer, 1.5))


def test_a_cold_start(record: Record, environment: dict[str, str], tmp_path: Path) -> None:
    ours = [sys.executable, "-m", "hivetui", "--embedded", str(tmp_path / "h")]

    def one_of_each() -> tuple[float, ...]:
        return (
            milliseconds_of_an_empty_python(environment),
            *milliseconds_until(environment, [sys.executable, "-c", MINIMAL], b"PAINTED"),
            *milliseconds_until(environment, ours, b"hivetui", BEGUN, b"hivetui", b"No agents yet"),
        )

    one_of_each()  # compiles, and makes the hive
    rounds = [one_of_each() for _ in range(ROUNDS)]
    empty, peer, words, _, frame, agents = (median(one) for one in zip(*rounds, strict=True))
    record(Figure("start: something on the screen", "ms", words, None, "python -c pass", empty, 2.0))
    record(Figure("start: first frame", "ms", frame, None, "minimal Textual", peer, 1.15))
    record(Figure("start: agents listed", "ms", agents, None, "minimal Textual", peer, 1.5))
