"""Keeps the place in a diff when the same change is loaded again with other options."""

from __future__ import annotations

from dataclasses import dataclass

from hivetui.widgets.diff.diff_view import DiffView


@dataclass(frozen=True)
class Position:
    """The file at the top of the view, and the line number in its new text; 0 for the head of the file."""

    path: str
    new_line: int


def current(diff: DiffView) -> Position | None:
    """What is at the top of the view now; None in an empty diff."""
    path = diff.current_path
    if path is None:
        return None
    hunk = diff.index.hunk_at(diff.line)
    return Position(path, (diff.index.numbers(diff.line).new or hunk.new) if hunk else 0)


def restore(diff: DiffView, position: Position | None) -> None:
    """Go to that line, or to the nearest one that the diff now contains."""
    if position is None or not diff.go_to_file(position.path) or not position.new_line:
        return
    index, wanted = diff.index, position.new_line
    file = next(file for file in index.files if file.path == position.path)
    hunk = next((hunk for hunk in file.hunks if hunk.new + hunk.new_count > wanted), None)
    if hunk is None:
        return
    end = min(hunk.line + 1 + hunk.old_count + hunk.new_count, index.count)
    lines = range(hunk.line + 1, end)
    diff.go_to_line(next((line for line in lines if (index.numbers(line).new or 0) >= wanted), hunk.line))
