"""What an agent writes is only ever text on the operator's terminal: nothing of it is obeyed, run, hidden or slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import answers, click_everything
from .corpus import ESCAPE_SHOWN, EVIL, MARKUP, OVERRIDE_SHOWN, no_sequence_but_ours

if TYPE_CHECKING:
    from tests.console.conftest import Opened, Terminal

    from .hive import Hostile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def opened(console: Terminal, key: str, *texts: str) -> None:
    """A screen with these texts, by its key; another is answered at once, and while it is there."""
    console.type(key)
    answers(console)
    console.until(*texts)
    answers(console)
    click_everything(console)


def asked(console: Terminal, key: str, words: str) -> None:
    """A dialog that begins with these words, by its key, and out of it again."""
    console.type(key)
    console.until(words)
    console.settle()
    click_everything(console)
    console.press("\x1b", gone=words)


def test_the_agents_and_their_dialogs(watched: Terminal, hostile: Hostile) -> None:
    watched.type("g")
    watched.until(f"› h-{ESCAPE_SHOWN}", "its log is not shown")
    answers(watched)
    click_everything(watched)
    watched.type("/MK-nobody")
    watched.until("None of 3 rows contains")
    watched.press("\x1b", gone="None of 3 rows contains")
    watched.type("j")
    watched.until(f"› {hostile.victim}", "MK-last line")
    answers(watched)
    click_everything(watched)
    for key, words in (("x", "Stop"), ("r", "Restart"), ("b", "Rebuild"), ("D", "Destroy"), ("P", "Purge")):
        asked(watched, key, f"{words} {hostile.victim}")
    watched.type("c")
    watched.until("Spawn an agent")
    asked(watched, f"\x1b[200~{MARKUP}\u202e\x07\x1b[201~", "Spawn an agent")


def test_the_proposals(watched: Terminal) -> None:
    opened(watched, "2", "MK-waits", ESCAPE_SHOWN)
    watched.type("f")
    watched.until("MK-waits", "MK-fails", "MK-quiet", "MK-note")
    answers(watched)
    click_everything(watched)
    asked(watched, "d", "Deny #")
    asked(watched, "X", "Withdraw #")


def test_the_review(watched: Terminal) -> None:
    watched.type("2")
    watched.until("MK-waits")
    watched.type("\r")
    watched.until("d deny", "MK-waits", "evil.txt", ESCAPE_SHOWN)
    answers(watched)
    assert OVERRIDE_SHOWN in _seen(watched, "\x04", 8)
    for key in "]}vw+-ulhw":
        watched.type(key)
        watched.settle(0.2)
        click_everything(watched)
    answers(watched)
    for key, words in (("m", "contents"), ("B", "Compare with"), ("d", "Deny #"), ("F", "go to line")):
        asked(watched, key, words)


def test_a_build_that_fails_and_the_operations(watched: Terminal, hostile: Hostile) -> None:
    opened(watched, "3", "✗ failed", "✓ succeeded", hostile.other)
    watched.type("g\r")
    watched.until("✗ failed", "MK-build", "MK-title")  # escape sequences of a builder are removed, as nix does it
    answers(watched)
    for key in ("e", "i", "w", "l", "h", "G", "g", "/MK-click\r"):
        watched.type(key)
        watched.settle(0.2)
        click_everything(watched)
    answers(watched)


def test_the_history(watched: Terminal, hostile: Hostile) -> None:
    opened(watched, "5", "OUTCOME", "MK-note", ESCAPE_SHOWN, hostile.other)


def test_the_warnings_and_the_palette(watched: Terminal) -> None:
    opened(watched, "6", "foreign-container", ESCAPE_SHOWN)
    asked(watched, "\r", "What to do:")
    watched.type("a")
    watched.until("Manage it by hand", OVERRIDE_SHOWN)
    answers(watched)
    click_everything(watched)
    watched.type("\x10")
    watched.until("Search for commands")
    asked(watched, MARKUP[:20], MARKUP[:20])


def test_a_narrow_terminal_without_colours(terminal: Opened, hostile: Hostile) -> None:
    console = terminal(columns=80, rows=24, NO_COLOR="1")
    console.until(hostile.victim)
    texts = ("MK-", "MK-waits", "✗ failed", "MK-", "MK-note", "foreign-container")
    for key, text in zip("123456", texts, strict=True):
        opened(console, key, text)
    no_sequence_but_ours(console.written)


def test_a_note_of_a_denial(terminal: Opened, hostile: Hostile) -> None:
    with hostile.passing_commit(hostile.victim, {b"other.txt": b"MK\n"}, "MK-denied") as sha:
        number = hostile.submit(hostile.victim, sha, "MK-denied")
    done = hostile.verb("deny", str(number), "--note", f"MK-no {EVIL[:400]}")
    assert done.returncode == 0, done.stderr
    console = terminal()
    console.until(hostile.victim)
    console.type("2f")
    console.until("MK-denied", "⊘ denied", "MK-no")
    console.type("/MK-denied\r")
    console.gone("MK-quiet")
    answers(console)
    click_everything(console)
    console.type("\r")
    console.until("decided by", "MK-no", "other.txt", ESCAPE_SHOWN)
    answers(console)
    click_everything(console)
    no_sequence_but_ours(console.written)


def _seen(console: Terminal, key: str, times: int) -> str:
    """All that is seen while a key is pressed several times."""
    texts = [console.text]
    for _ in range(times):
        console.type(key)
        texts.append(console.settle(0.1))
        click_everything(console)
    return "\n".join(texts)
