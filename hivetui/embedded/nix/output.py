"""What the stand-in for nix writes to standard error: messages, or the events of `--log-format internal-json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from hivetui.embedded.nix.values import NixError

_BUILD, _LOG_LINE = 105, 101  # actBuild and resBuildLogLine of nix's logging.hh


class Output:
    """Standard error of one command. `logs` is whether the lines of builders are shown; events always have them."""

    def __init__(self, as_events: bool = False, logs: bool = False) -> None:
        self._as_events, self._logs = as_events, logs

    def message(self, text: str) -> None:
        """A message."""
        if self._as_events:
            self._event(action="msg", level=1, msg=text)
        else:
            self._write(text)

    def error(self, failure: NixError) -> None:
        """The error that ends the command."""
        if self._as_events:
            self._event(action="msg", level=0, msg=f"error: {failure.render()}", raw_msg=failure.message)
        else:
            self._write(f"error: {failure.render()}")

    def build_started(self, derivation: str) -> None:
        """A builder starts."""
        text = f"building '{derivation}'"
        if self._as_events:
            fields = [derivation, "", 1, 1]
            self._event(action="start", id=1, level=3, parent=0, type=_BUILD, text=text, fields=fields)
        else:
            self._write(f"{text}...")

    def build_line(self, name: str, line: str) -> None:
        """A line of the builder of the derivation `name`."""
        if self._as_events:
            self._event(action="result", id=1, type=_LOG_LINE, fields=[line])
        elif self._logs:
            self._write(f"{name}> {line}")

    def build_ended(self) -> None:
        """The builder has ended."""
        if self._as_events:
            self._event(action="stop", id=1)

    def _event(self, **fields: Any) -> None:
        self._write("@nix " + json.dumps(fields))

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
