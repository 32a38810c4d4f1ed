"""What the stand-in for nix writes to standard error: messages, or the events of `--log-format internal-json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from hivetui.embedded.nix.values import NixError

_BUILDS, _BUILD, _LOG_LINE, _SET_PHASE, _PROGRESS = 104, 105, 101, 104, 105  # of nix's logging.hh
_BUILDS_ID, _BUILD_ID = 1, 2


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
        """A builder starts, the only one of the command."""
        text = f"building '{derivation}'"
        if self._as_events:
            self._event(action="start", id=_BUILDS_ID, level=7, parent=0, type=_BUILDS, text="")
            self._progress(done=0, running=1, failed=0)
            fields = [derivation, "", 1, 1]
            self._event(action="start", id=_BUILD_ID, level=3, parent=0, type=_BUILD, text=text, fields=fields)
        else:
            self._write(f"{text}...")

    def build_line(self, name: str, line: str) -> None:
        """A line of the builder of the derivation `name`."""
        if self._as_events:
            self._event(action="result", id=_BUILD_ID, type=_LOG_LINE, fields=[line])
        elif self._logs:
            self._write(f"{name}> {line}")

    def build_phase(self, phase: str) -> None:
        """The builder has begun a phase."""
        if self._as_events:
            self._event(action="result", id=_BUILD_ID, type=_SET_PHASE, fields=[phase])

    def build_ended(self, succeeded: bool) -> None:
        """The builder has ended."""
        if self._as_events:
            self._event(action="stop", id=_BUILD_ID)
            self._progress(done=int(succeeded), running=0, failed=int(not succeeded))
            self._event(action="stop", id=_BUILDS_ID)

    def _progress(self, done: int, running: int, failed: int) -> None:
        """How many derivations are built: done, all but those that failed, running, failed."""
        fields = [done, done + running, running, failed]
        self._event(action="result", id=_BUILDS_ID, type=_PROGRESS, fields=fields)

    def _event(self, **fields: Any) -> None:
        self._write("@nix " + json.dumps(fields))

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def phase_of(line: str) -> str | None:
    """The phase that a line of a builder begins, as stdenv writes it; None for any other line."""
    if not line.startswith("@nix "):
        return None
    try:
        message = json.loads(line[5:])
    except (ValueError, RecursionError):
        return None
    phase = message.get("phase") if isinstance(message, dict) and message.get("action") == "setPhase" else None
    return phase if isinstance(phase, str) else None
