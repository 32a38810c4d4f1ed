"""Which files each operator has marked as viewed, kept across restarts of the console.

One file an operator in the engine's state: for each agent the marks, and when each was made. A mark is a digest of a
file's path, modes and blobs, so that a file whose content changes is not viewed any more. Marks are a convenience: a
file that cannot be read counts as empty, and old marks and those above a limit are dropped, the oldest first.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

from hivetui.engine.host import files, locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData

MAX_MARKS = 5000
"""Of one operator."""
MAX_AGE = timedelta(days=90)
_MARK = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_BYTES = 4 << 20
Marks = dict[str, dict[str, float]]
"""By agent and mark, when it was made (seconds since 1970)."""


def load_marks(paths: Paths, operator: str, agent: str, now: datetime) -> frozenset[str]:
    """The marks of an operator on files of an agent."""
    return frozenset(_prune(_read(_file_of(paths, operator)), now).get(agent, ()))


def set_mark(paths: Paths, operator: str, agent: str, mark: str, is_viewed: bool, now: datetime) -> None:
    """Add a mark, a hexadecimal SHA-256, or remove it; BadData for anything else."""
    if not _MARK.fullmatch(mark):
        raise BadData(f"{mark[:80]!r} is not a mark of a file", "A mark is a hexadecimal SHA-256.")
    path = _file_of(paths, operator)
    files.make_directory(paths.locks)
    files.make_directory(path.parent)
    with locks.hold_briefly(paths.locks / "viewed"):
        marks = _read(path)
        marks.setdefault(agent, {}).pop(mark, None)
        if is_viewed:
            marks[agent][mark] = now.timestamp()
        files.replace(path, json.dumps(_prune(marks, now)).encode("ascii"))


def _file_of(paths: Paths, operator: str) -> Path:
    """The file of an operator, whose name may hold any character."""
    digest = hashlib.sha256(operator.encode("utf-8", "surrogatepass")).hexdigest()
    return paths.engine / "viewed" / f"{digest[:16]}.json"


def _read(path: Path) -> Marks:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MAX_BYTES))
        return {agent: {mark: float(made) for mark, made in marks.items()} for agent, marks in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _prune(marks: Marks, now: datetime) -> Marks:
    """The newest marks, without those that are too old and without agents that have none."""
    oldest = (now - MAX_AGE).timestamp()
    newest = sorted(((made, agent, mark) for agent, of in marks.items() for mark, made in of.items()), reverse=True)
    kept: Marks = {}
    for made, agent, mark in newest[:MAX_MARKS]:
        if made >= oldest:
            kept.setdefault(agent, {})[mark] = made
    return kept
