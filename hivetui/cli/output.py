"""Where results go: data to stdout and messages to stderr, as text for people or as JSON for programs.

Text from agents passes through `safe` on its way to people and stays exact in JSON. A stderr that has been closed is
not an error: the message is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from hivetui.cli.hang_up import has_hung_up
from hivetui.engine.model.acts import complete_commands
from hivetui.engine.model.errors import CannotCreate, HiveError, Interrupted
from hivetui.engine.model.schema import SCHEMA
from hivetui.engine.model.text import join_lines, safe
from hivetui.wire import frames
from hivetui.wire.frames import Json


class Output:
    """The two streams of one run of the program.

    `command_prefix` is the beginning of a command that reaches the same hive, such as `hivetui --embedded DIR`.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, as_json: bool, command_prefix: str = "hivetui") -> None:
        self.stdout, self.stderr, self.as_json, self.command_prefix = stdout, stderr, as_json, command_prefix

    def print_line(self, text: str) -> None:
        """Write a line of data for people."""
        self.write(text + "\n")

    def print_lines(self, lines: Iterable[str]) -> None:
        """Write lines of data for people, in one write."""
        self.write("".join(f"{line}\n" for line in lines))

    def print_json(self, content: Json) -> None:
        """Write one object with the schema, on one line."""
        self.write(frames.encode({"schema": SCHEMA, **content}).decode("ascii"))

    def write(self, text: str) -> None:
        """Write to stdout; CannotCreate when it cannot be written, except for a closed pipe: BrokenPipeError."""
        with translate_write_errors():
            self.stdout.write(text)

    def print_message(self, text: str) -> None:
        """Write a line to stderr; it is dropped when stderr is closed."""
        with suppress(OSError, ValueError):
            self.stderr.write(text + "\n")
            self.stderr.flush()

    def print_error(self, error: HiveError, with_json: bool = True) -> None:
        """Write what happened, why and what to do to stderr; in JSON mode and `with_json`, to stdout too."""
        for part in (error.what, error.reason, join_lines(self.complete_commands(_advice(error)))):
            if part:
                self.print_message(safe(part))
        if self.as_json and with_json:
            self.print_json({"error": self.error_to_json(error)})

    def error_to_json(self, error: HiveError) -> Json:
        """An error in the shape of interface.md."""
        advice = self.complete_commands(_advice(error))
        return {"code": error.code, "what": error.what, "why": error.why or None, "fix": advice or None}

    def complete_commands(self, text: str) -> str:
        """Advice in which every `hivetui VERB` reaches this hive and not the default one."""
        return complete_commands(text, self.command_prefix)

    def flush(self) -> None:
        """Flush stdout; errors as for `write`."""
        with translate_write_errors():
            self.stdout.flush()

    @property
    def width(self) -> int:
        """The columns of the terminal; 0, for no limit, where stdout is not a terminal."""
        if not self.stdout.isatty():
            return 0
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns
        except (OSError, ValueError):
            return 80


@contextmanager
def translate_write_errors() -> Iterator[None]:
    """Turn the failure of a write to stdout into CannotCreate; a closed pipe or terminal is BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if has_hung_up():
            raise BrokenPipeError from error
        fix = "Free some space, or send the output elsewhere."
        raise CannotCreate("The output could not be written", f"{error.strerror}.", fix) from error


def _advice(error: HiveError) -> str:
    """What to do about an error; for one without advice, where to look."""
    return error.fix or ("" if error.code == Interrupted.code else "Run: hivetui doctor, then hivetui warnings")
