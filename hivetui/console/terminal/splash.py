"""The splash screen: written before anything heavy is imported, and removed if no console follows.

Only modules that an empty Python has loaded are imported here. The splash is on the alternate screen, which the
console's driver takes over, so that nothing flickers.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` wraps it in enums, whose import takes longer than the splash
import os
import sys

ENTER_ALTERNATE_SCREEN = "\x1b[?1049h"
"""xterm's private mode 1049."""
_LEAVE = "\x1b[?1049l\x1b[?25h"
_OPTIONS_WITH_VALUE = ("--root", "--embedded", "--config")
_is_shown = False


def is_terminal_usable() -> bool:
    """Whether stdin and stdout are a terminal that can move its cursor."""
    return os.isatty(0) and os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb"


def show(words: list[str]) -> None:
    """Show the splash screen, if this command line opens the console."""
    global _is_shown
    if opens_console(words) and is_terminal_usable():
        _remove_on_signals()
        _is_shown = True  # before the write, because a signal may come between the two
        _is_shown = _write(ENTER_ALTERNATE_SCREEN + "\x1b[?25l\x1b[2J" + _centred("hivetui", "opening the hive …"))


def _remove_on_signals() -> None:
    """Leave the alternate screen on a signal, until the console installs handlers of its own."""

    def handle(number: int, frame: object) -> None:
        remove()
        os._exit(128 + number)

    for number in (_signal.SIGHUP, _signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, handle)


def opens_console(words: list[str]) -> bool:
    """Whether a command line opens the console, by a quick look; the parser reports what is wrong with it later."""
    remaining = iter(words)
    for word in remaining:
        if word in _OPTIONS_WITH_VALUE:
            next(remaining, None)
        elif not word.startswith(tuple(f"{option}=" for option in _OPTIONS_WITH_VALUE)):
            return word == "demo" and "--tour" not in words
    return True


def take_over() -> bool:
    """Leave the alternate screen to the console; returns whether the splash is on it."""
    global _is_shown
    was_shown, _is_shown = _is_shown, False
    return was_shown


def remove() -> None:
    """Return to the main screen, unless the console has taken over or there is no splash."""
    if take_over():
        _write(_LEAVE)


def _centred(*lines: str) -> str:
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        columns, rows = 80, 24
    top = max(1, (rows - len(lines)) // 2 + 1)
    placed = ((top + at, max(1, (columns - len(line)) // 2 + 1), line) for at, line in enumerate(lines))
    return "".join(f"\x1b[{row};{column}H{line}" for row, column, line in placed)


def _write(text: str) -> bool:
    sys.stdout.flush()
    try:
        return os.write(1, text.encode()) > 0
    except OSError:
        return False
