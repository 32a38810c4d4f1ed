"""What programs write to stderr although they end with status 0: warnings, and what they left out.

A program that fails has its messages in the error. Those of one that succeeds go to whoever listens in the current
task: a verb prints them, an operation records them, a review and a check of `doctor` have them in their result, and
the console notifies about them. Nobody listens by default. This module imports values of the
engine only.

Which lines are messages is decided for each program. nix and git report their progress on stderr: of nix only warnings,
errors and traces count, and of git all but counters. Whatever else another program writes there counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import PurePath

from hivetui.engine.model.binary import quote_output

Listener = Callable[[str], None]
"""Called with one line, such as "git: warning: …". It may contain control characters."""

MAX_MESSAGES = 20
"""Different messages that one listener gets; programs read what agents made, who could cause any number."""
_MAX_CHARACTERS = 1000
_PROGRAMS = (
    *("git", "nix", "nix-env", "nixos-container", "systemctl", "journalctl", "machinectl", "systemd-run"),
    "ssh-keygen",  # it has "git" among its arguments
)
_GIT_PROGRESS = re.compile(
    r"(remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving|Writing|Unpacking|Filtering|Checking|Updating|"
    r"Finding|Auto packing|Total|From|Cloning)\b|remote: *$| [*+=-] "
)
_NIX_MESSAGE = re.compile(r"(evaluation )?(warning|error|trace):")
_NIX_EXPECTED = re.compile(r"warning: (not writing modified|creating|updating) lock file|.*is a deprecated alias for")
"""What follows from the arguments that the engine gives: a lock file is not written but read from the output."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def listen(listener: Listener) -> None:
    """Give the messages to `listener`, each one once, in this task and in those that it starts from now on."""
    _listener.set(_each_once(listener))


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Give the messages to `listener` meanwhile, each one once and at most `MAX_MESSAGES`."""
    token = _listener.set(_each_once(listener))
    try:
        yield
    finally:
        _listener.reset(token)


def pass_on(messages: Sequence[str]) -> None:
    """Give the messages that another process has heard to whoever listens here."""
    if (listener := _listener.get()) is not None:
        for text in messages:
            listener(text)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the messages meanwhile, in place of giving them to whoever listens."""
    messages: list[str] = []
    with heard_by(messages.append):
        yield messages


def report(argv: Sequence[str], stderr: bytes) -> None:
    """Report what a program wrote to stderr that ended with status 0."""
    listener = _listener.get()
    if listener is None or not stderr:
        return
    for line in find_messages(argv, quote_output(stderr)):
        listener(line)


def find_messages(argv: Sequence[str], stderr: str) -> Iterator[str]:
    """The lines of `stderr` that are messages and not progress, each with the name of the program before it."""
    program = _program_of(argv)
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in stderr.replace("\r\n", "\n").split("\n")]
    for line in _select(program, [line for line in lines if line]):
        text = line[:_MAX_CHARACTERS]
        yield text if text.startswith(f"{program}: ") else f"{program}: {text}"


def _program_of(argv: Sequence[str]) -> str:
    """The name of the program."""
    return PurePath(argv[program_index(argv)]).name


def program_index(argv: Sequence[str]) -> int:
    """Where in a command line the program is, which may come after another one that sets its limits or its user."""
    return next((number for number, word in enumerate(argv) if PurePath(word).name in _PROGRAMS), 0)


def _select(program: str, lines: Sequence[str]) -> Iterator[str]:
    if program not in ("nix", "nix-env", "git"):
        yield from lines
        return
    is_wanted = program == "git"
    for line in lines:
        if program == "git":
            is_wanted = not _GIT_PROGRESS.match(line)
        elif not line.startswith(" "):  # an indented line belongs to the one before it
            is_wanted = bool(_NIX_MESSAGE.match(line)) and not _NIX_EXPECTED.match(line)
        if is_wanted:
            yield line


def _each_once(listener: Listener) -> Listener:
    heard: set[str] = set()

    def hear(text: str) -> None:
        if text in heard or len(heard) > MAX_MESSAGES:
            return
        heard.add(text)
        listener(text if len(heard) <= MAX_MESSAGES else "More messages of programs are not shown")

    return hear
