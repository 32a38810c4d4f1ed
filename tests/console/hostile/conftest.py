"""The real program in a pty, over an embedded hive that is full of hostile text. Every byte that it writes is kept."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from tests.console.conftest import Home, spawn_two

from .corpus import no_sequence_but_ours
from .hive import Hostile, filled

if TYPE_CHECKING:
    from tests.console.conftest import Opened, Terminal

HELP = "(this screen)"
FROZEN_SECONDS = 5.0
"""A key is answered sooner, on a machine that is busy with other things too: markup by the thousand took minutes."""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One hive for all of these tests: to fill it takes longer than they do."""
    hive = spawn_two(tmp_path_factory.mktemp("hive") / "h")
    with hive.restored() as folder:
        yield Home(folder, tuple(hive.agents))


@pytest.fixture(scope="session")
def hostile(home: Home) -> Hostile:
    """The corpus in every place that an agent can write to."""
    return filled(home)


@pytest.fixture
def watched(terminal: Opened, hostile: Hostile) -> Iterator[Terminal]:
    """The console on that hive; at its end, all that it wrote is held against the corpus, and nothing was done."""
    before = hostile.done()
    console = terminal()
    console.until(*hostile.home.agents)
    yield console
    answers(console)
    no_sequence_but_ours(console.written)
    assert hostile.done() == before


def answers(console: Terminal) -> None:
    """A key is answered, from the key to the bytes, without what the tests' own terminal takes to understand them."""
    console.settle(0.1)
    began, answer = monotonic(), b""
    console.type("?")
    while HELP.encode() not in answer and monotonic() < began + FROZEN_SECONDS:
        if select.select([console.master], [], [], 0.1)[0]:
            answer += os.read(console.master, 1 << 16)
    took = monotonic() - began
    console.take(answer)
    assert HELP.encode() in answer, f"no answer in {took:.1f} seconds:\n{console.text}"
    console.until(HELP)
    console.press("\x1b", gone=HELP)


def click_everything(console: Terminal) -> None:
    """Click wherever the screen has something that asks for it; nothing may come of it."""
    for row, line in enumerate(console.screen.display, 1):
        for found in re.finditer(r"@click|MK-click|link=|mk\.example", line):
            at = f"{found.start() + 1};{row}"
            console.type(f"\x1b[<0;{at}M\x1b[<0;{at}m")
    console.settle(0.3)
    assert console.process.poll() is None
