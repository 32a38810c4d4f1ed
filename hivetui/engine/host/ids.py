"""The ids of proposals and of operations: numbers that are never used twice, whatever crashes.

The last id of each kind is in a file, which is replaced durably and under a lock before the next id is returned; an id
whose caller then dies is not used. If the file is lost, the highest id in use follows from the records of operations,
or from the tags of proposals in git and, for purged agents, a ref of meta.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hivetui.engine.host import files, locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData

Kind = Literal["proposal", "operation"]


def next_id(paths: Paths, kind: Kind, at_least: int = 0) -> int:
    """The next id, from 1. `at_least` is one more than the highest id in use when the counter `is_lost`."""
    counter = paths.engine / f"last-{kind}"
    with locks.hold_briefly(paths.locks / f"last-{kind}"):
        number = max(_read_last(counter) + 1, at_least, 1)
        files.replace(counter, b"%d\n" % number)
    return number


def expected_id(paths: Paths, kind: Kind, at_least: int = 0) -> int:
    """The id that `next_id` would return now, which it returns to whoever asks first."""
    return max(_read_last(paths.engine / f"last-{kind}") + 1, at_least, 1)


def is_lost(paths: Paths, kind: Kind) -> bool:
    """Whether there is no counter: no id was assigned yet, or the file was lost."""
    return not (paths.engine / f"last-{kind}").exists()


def _read_last(counter: Path) -> int:
    try:
        text = counter.read_bytes()
    except FileNotFoundError:
        return 0
    if not text.strip().isdigit():
        raise BadData(
            f"The counter {counter} is damaged",
            f"It contains {text[:40]!r} instead of a number.",
            "Remove the file; the next id is then derived from those in use.",
        )
    return int(text)
