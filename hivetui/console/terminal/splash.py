"""The first thing on the screen, written before anything heavy is imported, and taken back if no console follows.

Only what an empty Python has loaded anyway is imported here. The words stand on the alternate screen; the console's
driver takes that screen over, so that nothing flickers.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` wraps; importing that takes longer than the words
import os
import sys

ENTER = "\x1b[?1049h"
"""To the alternate screen (xterm, private mode 1049)."""
_LEAVE = "\x1b[?1049l\x1b[?25h"
_WITH_VALUE = ("--root", "--embedded", "--config")
_shown = False


def is_terminal_usable() -> bool:
    """Whether this process has a terminal that can move its cursor."""
    return os.isatty(0) and os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb"


def show(words: list[str]) -> None:
    """If these words open the console: say so at once."""
    global _shown
    if opens_console(words) and is_terminal_usable():
        _give_the_screen_back_on_signals()
        _shown = True  # before they are: a signal may come between the two
        _shown = _write(ENTER + "\x1b[?25l\x1b[2J" + _centred("hivetui", "opening the hive …"))


def _give_the_screen_back_on_signals() -> None:
    """Until the console has handlers of its own."""

    def ended(number: int, frame: object) -> None:
        remove()
        os._exit(128 + number)

    for number in (_signal.SIGHUP, _signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, ended)


def opens_console(words: list[str]) -> bool:
    """A quick look at a command line; what is wrong with it is told later, by who reads it in earnest."""
    rest = iter(words)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith(tuple(f"{option}=" for option in _WITH_VALUE)):
            return word == "demo" and "--tour" not in words
    return True


def take_over() -> bool:
    """The console takes the alternate screen over; whether it is there."""
    global _shown
    was, _shown = _shown, False
    return was


def remove() -> None:
    """Back to the screen before, if the console has not come."""
    if take_over():
        _write(_LEAVE)


def _centred(*lines: str) -> str:
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        columns, rows = 80, 24
    top = max(1, (rows - len(lines)) // 2 + 1)
    return "".join(f"\x1b[{top + at};{max(1, (columns - len(line)) // 2 + 1)}H{line}" for at, line in enumerate(lines))


def _write(text: str) -> bool:
    sys.stdout.flush()
    try:
        return os.write(1, text.encode()) > 0
    except OSError:
        return False
