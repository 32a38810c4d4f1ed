"""The log of an agent of an embedded host: endless, repeatable lines like those of a coding agent at work."""

from __future__ import annotations

from collections.abc import Iterator

_FILES = ("src/parser.rs", "src/store.rs", "tests/test_ports.py", "docs/usage.md", "agent.nix", "Makefile")
_SEARCHES = ("fn resolve", "TODO", "class Session", "deadline", "unwrap()")
_THOUGHTS = (
    "reading the failing test before touching anything",
    "the parser takes a trailing comma for an empty item",
    "smaller change first: rename, then move",
    "the cache is keyed by path; it should be keyed by content",
    "all green, looking for what the tests do not cover",
)
_WARNINGS = (
    "context is 82% full, will compact after this turn",
    "rate limited, waiting 20 s",
    "tool result cut at 30000 characters",
)
_ERRORS = ("tool call failed: command ended with status 101", "upstream closed the stream; trying again (1 of 5)")


def log_lines(label: str) -> Iterator[tuple[int, str, str]]:
    """Endless (priority, identifier, message); always the same for the same label."""
    number, turn = sum(label.encode()) or 1, 0
    while True:
        number = (number * 1103515245 + 12345) & 0x7FFFFFFF  # the linear congruential generator of the C standard
        choice, pick = (number >> 8) % 20, number >> 14
        if choice < 5:
            turn += 1
            yield 6, "harness", f"turn {turn} of {label}: {_THOUGHTS[pick % len(_THOUGHTS)]}"
        else:
            yield _line(choice, pick)


def _line(choice: int, pick: int) -> tuple[int, str, str]:
    file = _FILES[pick % len(_FILES)]
    if choice < 9:
        return 6, "tool", f"read {file} ({40 + pick % 400} lines)"
    if choice < 12:
        return 6, "tool", f"grep {_SEARCHES[pick % len(_SEARCHES)]!r}: {pick % 17} matches"
    if choice < 15:
        return 6, "tool", f"edit {file}: \x1b[32m+{1 + pick % 40}\x1b[0m \x1b[31m-{pick % 23}\x1b[0m"
    if choice < 17:
        return 6, "tool", f"run make test: \x1b[1;32m{50 + pick % 300} passed\x1b[0m in {1 + pick % 30}.{pick % 10} s"
    if choice < 19:
        return 4, "harness", f"\x1b[33mwarning:\x1b[0m {_WARNINGS[pick % len(_WARNINGS)]}"
    return 3, "harness", f"error: {_ERRORS[pick % len(_ERRORS)]}"
