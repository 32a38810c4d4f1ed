"""Run one command line, from its words to the exit status: the console, the demo, or a verb.

A verb's imports happen when it runs, so that help and usage errors are printed at once; the console's imports happen
after its first frame.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from hivetui.cli.hang_up import has_hung_up
from hivetui.client.host_keys import UnknownHostKey
from hivetui.console.terminal import splash
from hivetui.engine import forced_exit, python_warnings
from hivetui.engine.model.errors import CannotCreate, HiveError, Interrupted, WrongUsage

if TYPE_CHECKING:
    from hivetui.cli.parser import Request
    from hivetui.console.hives import HiveSource
    from hivetui.engine.model.settings import Settings

_BROKEN_PIPE = 141
"""128 + SIGPIPE: the status that a shell reports for a program whose reader closed the pipe."""


def main(words: Sequence[str]) -> int:
    """Run it; returns the exit status of interface.md."""
    python_warnings.hide()
    try:
        status = _run(words)
        _flush_stdout()
    except HiveError as error:
        splash.remove()
        return _print_error(error, words)
    except BrokenPipeError:
        return _silence_stdout(_BROKEN_PIPE)
    except KeyboardInterrupt:
        return _silence_stdout(Interrupted.code)
    except OSError:
        if not has_hung_up():
            raise
        return _silence_stdout(_BROKEN_PIPE)
    finally:
        _discard_unwritable_messages()
    return status


def _run(words: Sequence[str]) -> int:
    from hivetui.cli import parser

    request = parser.parse(words)
    if request.command is None:
        return _run_console(request)
    if request.command == "demo":
        return _run_demo(request)
    if request.command in parser.DOOR_VERBS:
        from hivetui.cli import manager_door

        if manager_door.is_wanted(request):
            return manager_door.run(request)
    if request.command == "shell":
        from hivetui.cli import shell

        return shell.run(request)
    if request.command == "engine":
        from hivetui.cli import engine

        return engine.run(request)
    if request.command == "serve":
        from hivetui.cli import serve

        return serve.run(request)
    return _run_verb(request, parser.command_prefix(words))


def _run_demo(request: Request) -> int:
    """Run the console on a demo hive; without a usable terminal, print the narrated tour."""
    if splash.is_terminal_usable() and not request.tour:
        from hivetui.demo import live

        return live.run(request.keep)
    from hivetui.cli import tour

    return tour.main(request.keep)


def _run_verb(request: Request, command_prefix: str) -> int:
    from hivetui.cli import output, passed_on

    _escape_unencodable_output()
    if request.config or any(name.startswith("HIVETUI_") and "__" in name for name in os.environ):
        _settings(request)  # wrong ones are refused, also where a service answers, which has its own
    out = output.Output(sys.stdout, sys.stderr, request.json, command_prefix)
    if passed_on.run(request, out):
        return 0
    import asyncio

    from hivetui.cli import dispatch

    try:
        return asyncio.run(dispatch.run(request, out))
    except asyncio.CancelledError:
        return Interrupted.code


def _run_console(request: Request) -> int:
    from hivetui.cli.parser import VERB_NAMES

    if not splash.is_terminal_usable():
        why = "The console needs a terminal that can move its cursor."
        raise WrongUsage("The console cannot run here", why, f"Use a verb: {', '.join(VERB_NAMES)}.")
    from hivetui.cli.console_engine import ConsoleEngine, shell_command

    gc.disable()  # until the agents are shown: a tenth of the time of the imports, and they leave no garbage
    engine = ConsoleEngine(request)  # it starts while Textual is imported here
    try:
        from hivetui import app

        host = request.hosts[0] if request.hosts else None
        return app.run(
            engine.open,
            lambda: _settings(request),
            forced_exit.kill_children,
            shell_command=shell_command(request, host),
            name=host or app.HERE,
            other_hives=lambda settings: _other_hives(request, settings),
        )
    except UnknownHostKey as unknown:
        return _ask_and_start_again(unknown)
    finally:
        engine.end()


def _ask_and_start_again(unknown: UnknownHostKey) -> int:
    """Ask in the terminal, which a console has left, about the key of a host; raises `unknown` unless it is the one."""
    from hivetui.cli.remote import is_key_accepted

    if not is_key_accepted(unknown):
        raise unknown
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606  (a second console needs a process without the first one)


def _settings(request: Request) -> Settings:
    """The settings; called after the first frame of a console, because they are models of pydantic."""
    from hivetui.cli.settings import load_settings

    return load_settings(request, os.environ)


def _other_hives(request: Request, settings: Settings) -> list[HiveSource]:
    """The hives of other hosts; called after the first frame too."""
    from hivetui.cli.console_hives import find_other_hives

    return find_other_hives(request, settings)


def _escape_unencodable_output() -> None:
    """Write UTF-8 whatever the locale, and escape what cannot be encoded instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def _print_error(error: HiveError, words: Sequence[str]) -> int:
    from hivetui.cli.output import Output
    from hivetui.cli.parser import command_prefix

    with suppress(BrokenPipeError, CannotCreate):
        Output(sys.stdout, sys.stderr, "--json" in words, command_prefix(words)).print_error(error)
        _flush_stdout()
        return error.code
    return _silence_stdout(error.code)


def _flush_stdout() -> None:
    from hivetui.cli.output import translate_write_errors

    with translate_write_errors():
        sys.stdout.flush()


def _silence_stdout(status: int) -> int:
    """Send what Python would flush at its exit to /dev/null, because it cannot be written; returns `status`."""
    _discard(sys.stdout)
    return status


def _discard_unwritable_messages() -> None:
    """What is left after a failed write to stderr would end Python with a status of its own, 120."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
