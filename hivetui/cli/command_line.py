"""One command line, from its words to the exit status: the console, the demo, or a verb.

What a verb needs is imported when it runs, so that help and usage errors come at once; what the console needs, after
its first frame.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from hivetui.console.terminal import splash
from hivetui.engine import forced_exit
from hivetui.engine.model.errors import HiveError, Interrupted, Unavailable, WrongUsage

if TYPE_CHECKING:
    from hivetui.engine.api import Hive
    from hivetui.engine.model.settings import ConsoleSection

    from .parsing import Request

_READER_IS_GONE = 141  # what a shell says of a program that SIGPIPE ended


def main(words: Sequence[str]) -> int:
    """Run it; the exit status of interface.md."""
    try:
        status = _run(words)
        sys.stdout.flush()
    except HiveError as error:
        splash.remove()
        return _refused(error, words)
    except BrokenPipeError:
        return _hushed(_READER_IS_GONE)
    except KeyboardInterrupt:
        return _hushed(Interrupted.code)
    return status


def _run(words: Sequence[str]) -> int:
    from . import parsing

    request = parsing.parse(words)
    _refuse_later(request)
    if request.command is None:
        return _console(request)
    if request.command == "demo":
        return _demo(request)
    return _verb(request, parsing.reaching(words))


def _demo(request: Request) -> int:
    """The console on a demo, where there is a terminal for it; else the narrated tour."""
    if splash.is_terminal_usable() and not request.tour:
        from hivetui.demo import live

        return live.run(request.keep)
    from . import tour

    return tour.main(request.keep)


def _verb(request: Request, reaching: str) -> int:
    import asyncio

    from . import output, running

    _let_undecodable_text_out()
    out = output.Output(sys.stdout, sys.stderr, request.json, reaching)
    try:
        return asyncio.run(running.run(request, out))
    except asyncio.CancelledError:
        return Interrupted.code


def _console(request: Request) -> int:
    """The console, where there is a terminal for it."""
    from .parsing import NAMES

    if not splash.is_terminal_usable():
        why = "The console needs a terminal that can move its cursor."
        raise WrongUsage("This is no terminal for the console", why, f"Use a verb: {', '.join(NAMES)}.")
    from hivetui import app

    return app.run(lambda: _opened(request), lambda: _console_settings(request), forced_exit.kill_children)


def _console_settings(request: Request) -> ConsoleSection:
    """What was set for the console; the engine is imported for it."""
    from .opening import settings_of

    return settings_of(request, os.environ).console


async def _opened(request: Request) -> Hive:
    """The hive; the engine is imported in a thread, so that the screen goes on meanwhile."""
    import asyncio

    opening = await asyncio.to_thread(importlib.import_module, "hivetui.cli.opening")
    opened: Hive = await opening.open_hive(request, os.environ)
    return opened


def _refuse_later(request: Request) -> None:
    from .parsing import VERBS

    later = {verb.name for verb in VERBS if verb.later}
    if request.host:
        fix = "Log in there, and run hivetui on that host."
        raise Unavailable("--host is not in this version", "A hive elsewhere cannot be reached yet.", fix)
    if request.command in later:
        raise Unavailable(f"{request.command} is not in this version", "", "Read: hivetui --help")


def _let_undecodable_text_out() -> None:
    """Whatever the locale: text goes out as UTF-8, and what cannot is escaped in place of a crash."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def _refused(error: HiveError, words: Sequence[str]) -> int:
    from .output import Output
    from .parsing import reaching

    with suppress(BrokenPipeError):
        Output(sys.stdout, sys.stderr, "--json" in words, reaching(words)).error(error)
        sys.stdout.flush()
        return error.code
    return _hushed(error.code)


def _hushed(status: int) -> int:
    """`status`, with nothing left that Python would try to write at its end to a reader that is gone."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
