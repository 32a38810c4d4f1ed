"""What a failed nix wrote, reduced to the lines that explain the failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hivetui.engine.nix.internal_log import log_prefix

_BUILDER = re.compile(r"builder (for|failed)")
_NOISE = ("(use '--show-trace'", "For full logs", "note: ")
_INDENT = " " * 7  # nix puts this before all but the first line of an error
_STORED_FILE = re.compile(r"(/[^\s:']*/[0-9a-z]{32}-source)/([^\s:']*(?::\d+){0,2})", re.ASCII)
_DERIVATION = re.compile(r"/[0-9a-z]{32}-([A-Za-z0-9+._?=-]+)\.drv'")
_LOG_LINES = 10
_REPORT_LINES = 16


def summarize(stderr: str, owner_of: Callable[[str], str] | None = None) -> str:
    """The part of a failed nix's stderr to read first: the error, its location, and the end of the builder's log.

    The error is that of the first builder that failed, since others fail because of it, else the last error: those
    before it are its stack. Without any error: the end of the text. Paths of files are as in their repos, and followed
    by what `owner_of` says about the store path of the source, if that is given.
    """

    def name_file(match: re.Match[str]) -> str:
        return f"{match[2]} of {owner_of(match[1])}" if owner_of is not None else match[2]

    lines = stderr.splitlines()
    starts = [at for at, line in enumerate(lines) if line.lstrip().startswith("error:") and line.strip() != "error:"]
    if not starts:
        return "\n".join(lines[-_REPORT_LINES:])
    first = next((at for at in starts if _BUILDER.search(" ".join(lines[at : at + 2]))), starts[-1])
    end = next((at for at in starts if at > first), len(lines))
    report = [line for line in lines[first:end] if line.strip() and not line.strip().startswith(_NOISE)]
    report += _builder_log(lines, " ".join(lines[first : first + 2]))
    return "\n".join(_STORED_FILE.sub(name_file, line.removeprefix(_INDENT)) for line in report[:_REPORT_LINES])


def _builder_log(lines: Sequence[str], error: str) -> list[str]:
    """The last lines of the builder that failed, which nix prints with its name without the version before them."""
    derivation = _DERIVATION.search(error)
    prefix = f"{log_prefix(derivation[1])}> " if derivation else None
    return [line for line in lines if prefix and line.startswith(prefix)][-_LOG_LINES:]
