"""When something needs a person, the console calls once: by the bell and a notification of the terminal."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from hivetui.console.terminal import desktop_notification
from hivetui.engine.api import Hive

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened, Terminal

_OSC = re.compile(rb"\x1b\][^\a\x1b]*\a")
HOSTILE = "Fix \x1b]0;owned\x07; \x9b31m \u202ethe rest"
BAD = '{ ... }: { lab.fail = "error: no such attribute"; }\n'


def bells(opened: Terminal) -> int:
    """How often the bell rang: what ends an OSC sequence is none."""
    return _OSC.sub(b"", opened.written).count(b"\a")


def notifications(opened: Terminal) -> list[bytes]:
    """What was sent, in order; the console's own OSC sequences (title, colours) are others."""
    parts = opened.written.split(b"\x1b]777;notify;")
    return [part[: part.index(b"\a")] for part in parts[1:]]


async def approve(hive: Hive, number: int) -> None:
    found = (await hive.review(number)).proposal
    findings = (await hive.findings(number)).findings
    await hive.approve(number, found.commit, found.base, acknowledged=tuple(one.id for one in findings))


@pytest.mark.slow
def test_a_proposal_a_failed_deploy_and_a_death_call_a_person_once_each(console: Terminal, home: Home) -> None:
    agent = home.agents[0]
    assert bells(console) == 0
    home.commit(agent, BAD, HOSTILE)
    number = json.loads(home.run("submit", agent, "--json"))["proposal"]["id"]
    console.when(lambda: notifications(console), wanted="a notification of the proposal")
    shown = "Fix ‹U+001B›]0,owned‹U+0007›, ‹U+009B›31m ‹U+202E›the rest"
    text = f"{agent} #{number} pending: {shown} [critical: hidden-message: {shown}]".encode()
    assert notifications(console) == [b"hivetui;" + text]
    assert b"\a\x1b]9;hivetui: " + text + b"\a\x1b]777;notify;hivetui;" + text + b"\a" in console.written

    home.asked(lambda hive: approve(hive, number))
    console.when(lambda: len(notifications(console)) > 1, wanted="a notification of the failure")
    assert notifications(console)[1].startswith(f"hivetui;{agent} #{number} failed: ".encode())

    unit = home.folder / f"run/embedded/units/h-{agent}.json"
    os.kill(json.loads(unit.read_text())["pid"], signal.SIGKILL)
    console.when(lambda: len(notifications(console)) > 2, wanted="a notification of the death")
    assert notifications(console)[2].startswith(f"hivetui;{agent} failed at ".encode())
    console.settle()
    assert len(notifications(console)) == 3
    assert bells(console) == 3


@pytest.mark.slow
def test_what_is_switched_off_is_not_sent_and_tmux_gets_the_bell_alone(terminal: Opened, home: Home) -> None:
    config = home.folder.parent / "settings.toml"
    config.write_text("[notify]\nbell = false\nosc = false\n")
    silent, in_tmux = terminal("--config", str(config)), terminal(TMUX="/tmp/tmux-0/default,1,0")
    for one in (silent, in_tmux):
        one.until(*home.agents)
    home.commit(home.agents[1], "{ ... }: { }\n", "Another one")
    number = json.loads(home.run("submit", home.agents[1], "--json"))["proposal"]["id"]
    in_tmux.when(lambda: bells(in_tmux), wanted="the bell")
    silent.until(f"(#{number})")
    in_tmux.settle()
    silent.settle(2.0)
    assert (bells(in_tmux), notifications(in_tmux)) == (1, [])
    assert (bells(silent), notifications(silent)) == (0, [])


TERMINALS = [
    ({"TERM": "xterm-256color"}, ("9", "777")),
    ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, ("9",)),
    ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, ("9",)),
    ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, ("777",)),
    ({"TERM": "xterm-kitty"}, ("9",)),
    ({"TERM": "foot-extra"}, ("777",)),
    ({"TERM": "rxvt-unicode-256color"}, ("777",)),
    ({"TERM": "tmux-256color"}, ()),
    ({"TERM": "xterm-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, ()),
    ({"TERM": "screen.xterm-256color"}, ()),
    ({"TERM": "linux"}, ()),
    ({"TERM": "dumb"}, ()),
    ({}, ()),
]


@pytest.mark.parametrize(("environment", "sequences"), TERMINALS)
def test_a_terminal_gets_what_it_knows(environment: dict[str, str], sequences: tuple[str, ...]) -> None:
    assert desktop_notification.known_sequences(environment) == sequences


def test_no_text_ends_a_notification_or_adds_a_parameter() -> None:
    text = "".join(map(chr, range(0x120))) + "\u2028\ud800;9;4;1\x9c" + 1000 * "long "
    for sequence, start in (("9", "\x1b]9;a,b: "), ("777", "\x1b]777;notify;a,b;")):
        made = desktop_notification.encode("a;b", text, (sequence,))
        assert made.startswith(start)
        assert made.endswith("\a")
        body = made.removeprefix(start).removesuffix("\a")
        assert body.isprintable()
        assert ";" not in body
        assert len(body) < 500
