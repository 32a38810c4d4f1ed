"""Where results go: data to stdout, talk to stderr, either as text for people or as JSON for programs.

Text from agents passes through `safe` on its way to people and stays exact in JSON. A terminal that has gone away is
no error of ours: what cannot be said on stderr is not said.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

from hivetui.engine.model.errors import HiveError, Interrupted
from hivetui.engine.model.text import safe

from .parsing import NAMES

Json = dict[str, Any]
_COMMAND = re.compile(rf"\bhivetui(?= (?:{'|'.join(NAMES)})\b)")  # the program, where one of its verbs follows


class Output:
    """The two streams of one run of the program, whether it speaks JSON, and the words that reach its hive again."""

    def __init__(self, stdout: TextIO, stderr: TextIO, as_json: bool, reaching: str = "hivetui") -> None:
        self.stdout, self.stderr, self.as_json, self.reaching = stdout, stderr, as_json, reaching

    def put(self, text: str) -> None:
        """A line of data for people."""
        self.stdout.write(text + "\n")

    def put_all(self, lines: Iterable[str]) -> None:
        """Lines of data for people, at once."""
        self.stdout.write("".join(f"{line}\n" for line in lines))

    def put_json(self, content: Json) -> None:
        """One object with the schema, on one line."""
        from hivetui.engine.model.base import SCHEMA

        line = json.dumps({"schema": SCHEMA, **content}, ensure_ascii=True, separators=(",", ":"))
        self.stdout.write(line + "\n")

    def talk(self, text: str) -> None:
        """A line on stderr; lost without harm when nobody reads there."""
        with suppress(OSError, ValueError):
            self.stderr.write(text + "\n")
            self.stderr.flush()

    def error(self, error: HiveError, beside: bool = True) -> None:
        """What, why and what to do on stderr, and with JSON, unless `beside` is False, on stdout too."""
        for part in (error.what, error.why.strip(), self.hint(_fix(error))):
            if part:
                self.talk(safe(part))
        if self.as_json and beside:
            self.put_json({"error": self.error_json(error)})

    def error_json(self, error: HiveError) -> Json:
        """An error as interface.md has it."""
        return {"code": error.code, "what": error.what, "why": error.why, "fix": self.hint(_fix(error))}

    def hint(self, text: str) -> str:
        """Advice of ours, with commands that reach this hive and not another."""
        return _COMMAND.sub(lambda _: self.reaching, text)

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


def _fix(error: HiveError) -> str:
    """What to do; where nobody knows, where to look."""
    return error.fix or ("" if error.code == Interrupted.code else "Look with: hivetui doctor, and hivetui warnings")
