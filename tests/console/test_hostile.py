"""What an agent writes is only ever text on the operator's terminal: nothing of it is obeyed, run, hidden or slow.

The real program in a pty, over an embedded hive that is full of hostile text: in commit messages, names of authors and
files, differences, log lines, the output of builds, notes, and names of containers. Every byte that it writes is kept.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.names import container_of
from hivetui.engine.sandbox import journal
from hivetui.engine.sandbox.folder import Folder

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened, Terminal

pytestmark = pytest.mark.slow

ESCAPES = (
    "\x1b[971;913H",
    "\x1b[8;2;971mconcealed",
    "\x1b]0;MK-title\x07",
    "\x1b]52;c;TUstY2xpcGJvYXJk\x07",
    "\x1b]8;;http://mk-link.example/\x1b\\here\x1b]8;;\x1b\\",
    "\x1bPMK-dcs\x1b\\",
    "\x1b_MK-apc\x1b\\",
    "\x1b^MK-pm\x1b\\",
    "\x1bc\x1b(0MK-charset",
    "\u009b972;914H",
    "\u009d0;MK-c1-title\u009c",
    "\u0090MK-c1-dcs\u009c",
    "MK-bell\x07MK-backspace\b\b\bMK-return\rMK-vt\x0b\x0c\x7f",
)
INVISIBLE = (
    "a\u202eMK-rlo\u202c b\u2066MK-isolate\u2069 c\u200b\u200d\ufeff\u2060\u00ad\U000e0041\u3164\u115fd \ufff9x\ufffb"
)
MARKUP = "[@click=app.quit]MK-click[/] [/x] [bold on red]b[/] [link=http://mk.example]l[/link] $error"
FLOOD = "z" + "\u0336\u0489\u20dd" * 60
EVIL = " ".join((*ESCAPES, INVISIBLE, MARKUP, FLOOD))
RAW_BYTES = (
    b"MK-raw \x9b973;915H \x9d0;MK-raw-title\x9c \x90MK-raw-dcs\x9c \xff\xfe\xc0\xaf\xed\xa0\x80 " + EVIL.encode()
)
HOSTILE_BYTES = tuple(one.encode() for one in (*ESCAPES, *INVISIBLE) if not one.isascii() or "\x1b" in one)
HELP = "Every key of this screen"
SECOND = 1.0
"""In which a key is answered."""

_OURS = re.compile(
    rb"\x1b\[[0-9;:]*[mHABCDGJKdfst]"  # colours, places, clearing
    rb"|\x1b\[\?[0-9;]+(?:\$p|[hlu])|\x1b\[[<>=]?[0-9;]*u|\x1b\[[0-9;]*[tn]|\x1b\[[0-9 ]*q|\x1b\[c"  # modes, questions
    rb"|\x1b\](?:52;c;[A-Za-z0-9+/=]*|22;[a-z-]*)\x07|\x1b[78]"  # clipboard (as base64), shape of the pointer
)
"""The sequences that the console itself has a use for."""
_TORN = re.compile(rb"(?:\x1b(?:\[[0-9;:?<>= $]*|\][^\x07]*)?|[\xc0-\xf7][\x80-\xbf]{0,2})\Z")
"""What a read ended in the middle of: the beginning of a sequence or of a character."""


def no_sequence_but_ours(written: bytes) -> None:
    """Nothing that the console wrote is a control but its own; all of it is UTF-8 that hides nothing."""
    for sequence in HOSTILE_BYTES:
        assert sequence not in written, sequence
    text = _OURS.sub(b"", _TORN.sub(b"", written)).decode("utf-8", "strict")
    bad = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") and char not in "\r\n"}
    assert not bad, [ascii(text[max(0, at - 20) : at + 40]) for at in map(text.index, bad)]
    assert not re.search(r"[\u0300-\u036f\u0483-\u0489\u20d0-\u20f0]{5}", text)
    assert not set(text) & set("\u3164\u115f\u034f\u2800")


@dataclass
class Hostile:
    """The hive and what waits in it."""

    home: Home
    waiting: int
    failed: int

    @property
    def victim(self) -> str:
        return self.home.agents[0]


def commit(home: Home, agent: str, files: dict[bytes, bytes], message: str) -> str:
    """A commit of the proposed repo, by an author who is hostile too."""
    proposed = home.folder / f"var/lib/hyperhive/agents/{agent}/config"
    for name, data in files.items():
        (proposed / os.fsdecode(name)).write_bytes(data)
    author = f"MK-author \x1b]0;MK-author\x07 \u202e {MARKUP.replace('<', '')}"
    who = {f"GIT_{role}_NAME": author for role in ("AUTHOR", "COMMITTER")}
    who |= {f"GIT_{role}_EMAIL": "e\x1b[974;916H@x" for role in ("AUTHOR", "COMMITTER")}
    clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (
        ("add", "-A"),
        ("commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-"),
        ("rev-parse", "HEAD"),
    ):
        data = message.encode("utf-8", "surrogateescape")
        done = subprocess.run(
            ["git", *words], cwd=proposed, env=who | clean, input=data, check=True, capture_output=True
        )
    return done.stdout.decode().strip()


def verb(home: Home, *words: str) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(home.folder), *words]
    return subprocess.run(argv, env=home.environment, capture_output=True)


def submitted(home: Home, agent: str, sha: str) -> int:
    done = verb(home, "submit", agent, sha, "-m", EVIL[:1500])
    assert done.returncode == 0, done.stderr
    return int(re.findall(rb"#?(\d+)", done.stdout)[0])


def approved(home: Home, number: int) -> None:
    row = json.loads(verb(home, "show", str(number), "--json").stdout)["proposal"]
    note = ("--note", "MK-note " + EVIL[:300])
    verb(home, "approve", str(number), "--commit", row["commit"], "--base", row["base"], *note)


def said(home: Home, agent: str) -> None:
    """Lines in the agent's log, one of them of 10 MB."""
    folder = Folder(str(home.folder))
    for text in (*ESCAPES, INVISIBLE, MARKUP, FLOOD, RAW_BYTES.decode("utf-8", "surrogateescape"), "[b]" * 20_000):
        journal.say(folder, container_of(agent), f"MK-log {text}", identifier="x\x1b]0;MK-ident\x07")
    journal.say(folder, container_of(agent), "MK-long " + "\x1b[975;917H[/x]" * 700_000)
    journal.say(folder, container_of(agent), "MK-last line")


NIX = '{ ... }: { lab.talkSeconds = 3600; lab.fail = "MK-build %s"; }\n'


@pytest.fixture(scope="module")
def hostile(home: Home) -> Hostile:
    """The corpus in every place that an agent can write to."""
    victim = home.agents[0]
    (home.folder / f"etc/nixos-containers/h-\x1b]0;MK-conf\x07\u202e[@click=app.quit]MK[{'x' * 30}.conf").write_text(
        "A=1\n"
    )
    evil_nix = NIX % EVIL.replace("\\", "\\\\").replace('"', '\\"').replace("${", "")
    failing = commit(home, victim, {b"agent.nix": evil_nix.encode()}, f"MK-fails {EVIL}\n\n{'[b]' * 20_000}")
    failed = submitted(home, victim, failing)
    approved(home, failed)
    files = {
        b"agent.nix": b"{ ... }: { lab.talkSeconds = 3600; }\n",
        b"evil.txt": RAW_BYTES
        + b"\n"
        + b"\n".join(one.encode() for one in (*ESCAPES, INVISIBLE, MARKUP, FLOOD))
        + b"\n",
        b"[@click=app.quit]MK-file[" + b"x].txt": b"MK-named\n",
        ("MK-flood-" + "z\u0336\u0489\u20dd" * 20).encode(): b"MK\n",
        b"long.txt": b"MK-long \x1b[976;918H" + b"[/x]" * 200_000 + b"\n",
    }
    waiting = submitted(home, victim, commit(home, victim, files, f"MK-waits {EVIL}\n\n{EVIL}\n" + "[b]" * 20_000))
    said(home, victim)
    return Hostile(home, waiting, failed)


@pytest.fixture
def watched(terminal: Opened, hostile: Hostile) -> Iterator[Terminal]:
    """The console on that hive; at its end, all that it wrote is held against the corpus."""
    console = terminal()
    console.until(*hostile.home.agents)
    yield console
    answers(console)
    no_sequence_but_ours(console.written)


def _seconds_to_help(console: Terminal) -> float:
    """From the key to the bytes that answer it, without what the tests' own terminal takes to understand them."""
    console.settle(0.1)
    began, chunks = monotonic(), [b""]
    console.type("?")
    while HELP.encode() not in b"".join(chunks):
        assert monotonic() < began + 30, "no answer"
        chunks.append(os.read(console.master, 1 << 16))
    took = monotonic() - began
    console.take(b"".join(chunks))
    return took


def answers(console: Terminal) -> None:
    """A key is answered within a second; the best of three, as this machine may be busy with other things."""
    took: list[float] = []
    for _ in range(3):
        took.append(_seconds_to_help(console))
        console.until(HELP)
        console.type("\x1b")
        console.gone(HELP)
        if took[-1] <= SECOND:
            return
    raise AssertionError(f"a key was answered after {took} seconds")


def click_everything(console: Terminal) -> None:
    """Click wherever the screen has something that asks for it; nothing may come of it."""
    for row, line in enumerate(console.screen.display, 1):
        for found in re.finditer(r"@click|MK-click|link=|mk\.example", line):
            at = f"{found.start() + 1};{row}"
            console.type(f"\x1b[<0;{at}M\x1b[<0;{at}m")
    console.settle(0.3)
    assert console.process.poll() is None


def test_the_agents_and_their_dialogs(watched: Terminal, hostile: Hostile) -> None:
    watched.type("g")
    watched.settle(1.0)
    for _ in range(2):
        click_everything(watched)
        watched.type("j")
        watched.settle(0.5)
    for key, words in (("x", "Stop"), ("r", "Restart"), ("b", "Rebuild"), ("D", "Destroy"), ("P", "Purge")):
        watched.type(key)
        watched.until(words, "leave")
        watched.settle()
        watched.type("\x1b")
        watched.gone("leave it")
    watched.type("c")
    watched.until("Spawn an agent")
    watched.type(f"\x1b[200~{MARKUP}\u202e\x07\x1b[201~")
    watched.settle()
    click_everything(watched)
    watched.type("\x1b")
    watched.gone("Spawn an agent")


def test_the_proposals_and_the_review(watched: Terminal, hostile: Hostile) -> None:
    watched.type("2")
    watched.until("MK-waits", "‹U+001B›")
    answers(watched)
    click_everything(watched)
    watched.type("f")
    watched.until("failed")
    watched.settle()
    click_everything(watched)
    watched.type("1")
    watched.type("2")
    watched.until("MK-waits")
    watched.type("\r")
    watched.until("‹U+001B›", "@click")
    answers(watched)
    for _ in range(6):
        click_everything(watched)
        watched.type("\x04")
        watched.settle(0.1)
    for key in "]}vw+-ulh":
        watched.type(key)
        watched.settle(0.2)
    answers(watched)
    for key in "mbd":
        watched.type(key)
        watched.until("leave")
        watched.settle()
        click_everything(watched)
        watched.type("\x1b")
        watched.settle()


def test_a_build_that_fails_and_the_operations(watched: Terminal, hostile: Hostile) -> None:
    watched.type("3")
    watched.until("failed", "spawn")
    click_everything(watched)
    watched.until("failed")
    watched.type("g\r")
    watched.until("✗ failed", "MK-build", "‹U+001B›")
    answers(watched)
    for key in ("e", "i", "w", "l", "h", "G", "g"):
        watched.type(key)
        watched.settle(0.2)
        click_everything(watched)
    watched.type("/MK-click\r")
    watched.settle()


def test_the_logs(watched: Terminal, hostile: Hostile) -> None:
    watched.type("4")
    watched.until("MK-last line", "MK-long", "‹U+001B›")
    answers(watched)
    assert "‹U+202E›" in _seen(watched, "k", 25)
    click_everything(watched)
    for keys in ("w", "w", "l", "h", "G", "f", "f", "/MK-click\r", "n", "N", "&MK-\r", "!", "&\r", "T", "o"):
        watched.type(keys)
        watched.settle(0.2)
    answers(watched)
    for key in "at":
        watched.type(key)
        watched.until("leave")
        watched.type("\x1b")
        watched.gone("esc  leave")


def _seen(console: Terminal, key: str, times: int) -> str:
    texts = [console.text]
    for _ in range(times):
        console.type(key)
        texts.append(console.settle(0.05))
    return "\n".join(texts)


def test_a_copy_of_the_log_is_safe_text(watched: Terminal, hostile: Hostile) -> None:
    watched.type("4")
    watched.until("MK-last line")
    watched.type("y")
    watched.until("copied")
    (copied,) = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", watched.written)
    text = base64.b64decode(copied).decode()
    assert "MK-last line" in text
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"]


def test_history_warnings_help_and_palette(watched: Terminal, hostile: Hostile) -> None:
    watched.type("5")
    watched.until("RUNS")
    answers(watched)
    watched.type("6")
    watched.until("foreign-container", "‹U+001B›")
    answers(watched)
    click_everything(watched)
    for key in ("\r", "f"):
        watched.type(key)
        watched.settle(0.6)
        click_everything(watched)
        watched.type("\x1b")
        watched.settle()
    watched.type("\x10")
    watched.settle(0.6)
    watched.type(MARKUP[:20])
    watched.settle(0.6)
    watched.type("\x1b")
    watched.gone(MARKUP[:20])


def test_a_narrow_terminal_without_colours(terminal: Opened, hostile: Hostile) -> None:
    console = terminal(columns=80, rows=24, NO_COLOR="1")
    console.until(hostile.victim)
    for key in "123456":
        console.type(key)
        console.settle(0.6)
        click_everything(console)
    answers(console)
    no_sequence_but_ours(console.written)


def test_a_note_with_hostile_text_is_shown_as_text(watched: Terminal, hostile: Hostile) -> None:
    sha = commit(hostile.home, hostile.victim, {b"other.txt": b"MK\n"}, "MK-denied")
    number = submitted(hostile.home, hostile.victim, sha)
    done = verb(hostile.home, "deny", str(number), "--note", f"MK-no {EVIL[:400]}")
    assert done.returncode == 0, done.stderr
    watched.type("2f")
    watched.until("denied", "MK-denied")
    watched.type("/MK-denied\r\r")
    watched.until("denied", "MK-no", "‹U+001B›")
    click_everything(watched)


@pytest.mark.parametrize("name", [b"\x1b[977;919H.txt", "\u202etxt.exe".encode(), b"\xff\xfe.txt", b"a\nb"])
def test_a_file_name_that_cannot_be_printed_is_refused_in_words(hostile: Hostile, name: bytes) -> None:
    sha = commit(hostile.home, hostile.home.agents[1], {name: b"x\n"}, "MK-name")
    proposed = hostile.home.folder / f"var/lib/hyperhive/agents/{hostile.home.agents[1]}/config"
    done = verb(hostile.home, "submit", hostile.home.agents[1], sha)
    assert done.returncode == 65
    assert b"printable" in done.stderr
    no_sequence_but_ours(done.stderr)
    subprocess.run(["git", "reset", "-q", "--hard", "HEAD^"], cwd=proposed, check=True)


def _many(home: Home, agent: str, count: int) -> str:
    """A commit with so many files in a folder."""
    folder = home.folder / f"var/lib/hyperhive/agents/{agent}/config/many"
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"file-{number:05}.txt").touch()
    return commit(home, agent, {}, f"MK-many {count}")


def test_as_many_files_as_are_allowed_can_be_read_and_fifty_thousand_are_refused(
    terminal: Opened, hostile: Hostile
) -> None:
    """The engine refuses so many when they are submitted: the console never sees them."""
    agent = hostile.home.agents[1]
    submitted(hostile.home, agent, _many(hostile.home, agent, 4_900))
    console = terminal()
    console.until(agent)
    console.type("2")
    console.until("MK-many 4900")
    console.type("/MK-many\r\r")
    console.until("file-0")
    answers(console)
    console.type("G")
    console.settle()
    answers(console)
    no_sequence_but_ours(console.written)
    done = verb(hostile.home, "submit", agent, _many(hostile.home, agent, 50_000))
    assert done.returncode == 65
    assert b"limit" in done.stderr
