"""Numbers that are never given twice, whatever crashes: the ids of proposals and of operations.

The last id is in a file of the engine's own. It is replaced, durably, under its own lock before the next id is handed
out; an id whose caller then dies is simply not used. Should the file be lost, the records of operations tell how far
their ids had come, and git how far those of proposals had: by their tags, and for purged agents by a ref of meta.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hivetui.engine.host import files, locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData

Kind = Literal["proposal", "operation"]


def next_id(paths: Paths, kind: Kind, at_least: int = 0) -> int:
    """The next id, at least 1 and `at_least` (one more than the highest id in use, should the counter be lost)."""
    counter = paths.engine / f"last-{kind}"
    with locks.hold_briefly(paths.locks / f"last-{kind}"):
        given = max(_last(counter) + 1, at_least, 1)
        files.replace(counter, b"%d\n" % given)
    return given


def is_lost(paths: Paths, kind: Kind) -> bool:
    """Whether no id was given yet, or the counter is gone: then `at_least` has to be told."""
    return not (paths.engine / f"last-{kind}").exists()


def _last(counter: Path) -> int:
    try:
        text = counter.read_bytes()
    except FileNotFoundError:
        return 0
    if not text.strip().isdigit():
        raise BadData(
            f"The counter {counter} is damaged",
            f"It should hold a number and holds {text[:40]!r}.",
            "Remove it: the next id is then found from those in use.",
        )
    return int(text)
