"""Lines of a log as text for the clipboard, and as bytes for a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from hivetui.widgets.log.line_text import shown_text
from hivetui.widgets.log.shown_lines import ShownLines


def clipboard_text(shown: ShownLines, positions: Iterable[int]) -> str:
    """The shown text of lines, each ended by a line feed."""
    lines = (shown.store.line(shown.number(position)) for position in positions)
    return "".join(shown_text(line.raw) + "\n" for line in lines)


def exact_lines(shown: ShownLines) -> Iterator[bytes]:
    """The exact bytes of all shown lines, each after its time (UTC, ISO 8601), agent and stream if it has them."""
    for position in range(shown.first, shown.end):
        number = shown.number(position)
        if number < shown.store.first:
            continue  # dropped by the store while this was read in slices
        line = shown.store.line(number)
        if line.time is None or line.source is None:
            yield line.raw + b"\n"
        else:
            moment = datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds")
            yield f"{moment} {line.source.agent} {line.source.stream} ".encode() + line.raw + b"\n"
