"""The command line of the stand-in for nix."""

from __future__ import annotations

from hivetui.embedded.nix.values import NixError

_ARGUMENTS = {
    "--option": 2,
    "--override-input": 2,
    "--update-input": 1,
    "--log-format": 1,
    "-o": 1,
    "--out-link": 1,
    "--expr": 1,
    "--flake": 1,
    "--extra-experimental-features": 1,
    "--max-jobs": 1,
    "-j": 1,
}
"""How many arguments an option takes."""
_FLAGS = frozenset(
    (
        "--json",
        "--raw",
        "--impure",
        "--no-link",
        "--dry-run",
        "--print-out-paths",
        "--no-update-lock-file",
        "--no-write-lock-file",
        "--no-registries",
        "-L",
        "--print-build-logs",
        "--no-allow-dirty",
        "--commit-lock-file",
        "--recreate-lock-file",
        "--offline",
        "-v",
        "--verbose",
        "--refresh",
        "--keep-failed",
        "--no-warn-dirty",
        "--quiet",
    )
)


class Request:
    """The parsed command line. Raises NixError for an option that nix, or its stand-in, does not have."""

    def __init__(self, arguments: list[str]) -> None:
        self.words: list[str] = []
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.overrides: dict[str, str] = {}
        self.updates: set[str] = set()
        self.settings: dict[str, str] = {}
        remaining = list(arguments)
        while remaining:
            self._read(remaining.pop(0), remaining)

    def _read(self, word: str, remaining: list[str]) -> None:
        count = _ARGUMENTS.get(word, 0)
        values, remaining[:count] = remaining[:count], []
        if len(values) < count:
            raise NixError(f"flag '{word}' requires {count} argument(s)")
        if word == "--override-input":
            self.overrides[values[0]] = values[1]
        elif word == "--update-input":
            self.updates.add(values[0])
        elif word == "--option":
            self.settings[values[0]] = values[1]
        elif count:
            self.values["--out-link" if word == "-o" else word] = values[0]
        elif word in _FLAGS:
            self.flags.add(word)
        elif word == "--":
            self.words += remaining
            remaining.clear()
        elif word.startswith("-"):
            raise NixError(f"unrecognised flag '{word}' (to the embedded nix)")
        else:
            self.words.append(word)

    def word(self, index: int) -> str:
        """One of the words that are not options; the current directory where there are fewer."""
        return self.words[index] if index < len(self.words) else "."

    @property
    def wants_events(self) -> bool:
        """Whether output is asked for as events."""
        return self.values.get("--log-format") == "internal-json"

    @property
    def wants_logs(self) -> bool:
        """Whether the lines of builders are shown."""
        formats = ("bar-with-logs", "raw-with-logs")
        return bool(self.flags & {"-L", "--print-build-logs"}) or self.values.get("--log-format") in formats
