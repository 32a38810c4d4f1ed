"""The lines of text that a change adds, and those of its messages. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hivetui.engine.review.findings.budget import MAX_FILE, MAX_LINES, Budget, TooMuch
from hivetui.engine.review.findings.changed_lines import added_lines
from hivetui.engine.review.findings.subject import Subject
from hivetui.engine.review.findings.tree import LINK, SUBMODULE, Change

_CONTINUES = ("\\", "|", "&&")
_MOST_JOINED = 4
_MAX_MESSAGE_LINES = 20_000


def text_subjects(change: Change, budget: Budget) -> Iterator[Subject]:
    """A subject for each added line; a command that goes on over several lines is one text. TooMuch at a limit."""
    count = 0
    for path in change.changed:
        blob = change.new.files[path]
        if blob.content is None or len(blob.content) > MAX_FILE or blob.is_binary or blob.mode in (LINK, SUBMODULE):
            continue
        old = change.old_of(path)
        if old is not None and old.oid == blob.oid:
            continue
        for number in sorted(added_lines(old, blob)):
            count += 1
            if count > MAX_LINES:
                raise TooMuch(f"more than {MAX_LINES} lines are new")
            if count % 64 == 0:
                budget.check_time()
            yield Subject("text", _command_at(blob.lines, number - 1), file=path, line=number)


def message_subjects(change: Change) -> Iterator[Subject]:
    """A subject for each line of the messages."""
    lines = (line for message in change.messages for line in message.split("\n"))
    for _, line in zip(range(_MAX_MESSAGE_LINES), lines, strict=False):
        if line.strip():
            yield Subject("message", line)


def history_subjects(change: Change) -> Iterator[Subject]:
    """A subject for each deployed commit that the change does not contain."""
    for number, title in change.reverts.items():
        yield Subject("history", f"reverts #{number} {title}", node=f"#{number}")


def _command_at(lines: tuple[str, ...], index: int) -> str:
    """The line with those that it continues and that continue it, as far as a shell would join them."""
    start = end = index
    while start > 0 and index - start < _MOST_JOINED and _goes_on(lines[start - 1], lines[start]):
        start -= 1
    while end + 1 < len(lines) and end - index < _MOST_JOINED and _goes_on(lines[end], lines[end + 1]):
        end += 1
    if start == end:
        return lines[index]
    return " ".join(line.strip().removesuffix("\\").rstrip() for line in lines[start : end + 1])


def _goes_on(line: str, following: str) -> bool:
    return line.rstrip().endswith(_CONTINUES) or following.lstrip().startswith(("|", "&&"))
