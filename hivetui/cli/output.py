"""Where results go: data to stdout, talk to stderr, either as text for people or as JSON for programs.

Text from agents passes through `safe` on its way to people and stays exact in JSON. A terminal that has gone away is
no error of ours: what cannot be said on stderr is not said.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

from hivetui.engine.errors import HiveError, Interrupted
from hivetui.engine.text import safe

Json = dict[str, Any]


class Output:
    """The two streams of one run of the program, and whether it speaks JSON."""

    def __init__(self, stdout: TextIO, stderr: TextIO, as_json: bool) -> None:
        self.stdout, self.stderr, self.as_json = stdout, stderr, as_json

    def put(self, text: str) -> None:
        """A line of data for people."""
        self.stdout.write(text + "\n")

    def put_all(self, lines: Iterable[str]) -> None:
        """Lines of data for people, at once."""
        self.stdout.write("".join(f"{line}\n" for line in lines))

    def put_json(self, content: Json) -> None:
        """One object with the schema, on one line."""
        from hivetui.engine.models import SCHEMA

        line = json.dumps({"schema": SCHEMA, **content}, ensure_ascii=True, separators=(",", ":"))
        self.stdout.write(line + "\n")

    def talk(self, text: str) -> None:
        """A line on stderr; lost without harm when nobody reads there."""
        with suppress(OSError, ValueError):
            self.stderr.write(text + "\n")
            self.stderr.flush()

    def error(self, error: HiveError, beside: bool = True) -> None:
        """What, why and what to do on stderr, and with JSON, unless `beside` is False, on stdout too."""
        for line in error_lines(error):
            self.talk(line)
        if self.as_json and beside:
            self.put_json({"error": error_json(error)})

    def flush(self) -> None:
        """Hand on what was put."""
        self.stdout.flush()

    @property
    def width(self) -> int:
        """The columns of the terminal; 0, for no limit, where stdout is none."""
        if not self.stdout.isatty():
            return 0
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns
        except (OSError, ValueError):
            return 80


def error_lines(error: HiveError) -> list[str]:
    """An error in at most three lines: what, why, what to do."""
    return [safe(part) for part in (error.what, error.why.strip(), _fix(error)) if part]


def _fix(error: HiveError) -> str:
    """What to do; where nobody knows, where to look."""
    return error.fix or ("" if error.code == Interrupted.code else "Look with: hivetui doctor, and hivetui warnings")


def error_json(error: HiveError) -> Json:
    """An error as interface.md has it."""
    return {"code": error.code, "what": error.what, "why": error.why, "fix": _fix(error)}
