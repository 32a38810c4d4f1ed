"""The directory of a demo: choosing it, and removing it at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def choose(keep: str | None) -> Path:
    """The directory to be kept, or a new temporary one."""
    return Path(keep).expanduser().absolute() if keep else Path(tempfile.mkdtemp(prefix="hivetui-demo-"))


def clear(folder: Path, keep: bool) -> None:
    """Stop the agents that run in the directory, and remove it unless `keep`. A missing one is not an error."""
    from hivetui.embedded import end_agents, remove_embedded

    if not folder.exists():
        return
    if keep:
        end_agents(folder)
    else:
        remove_embedded(folder)


@contextmanager
def home(keep: str | None) -> Iterator[Path]:
    """The directory of a demo, cleared when the block ends."""
    folder = choose(keep)
    try:
        yield folder
    finally:
        clear(folder, bool(keep))
