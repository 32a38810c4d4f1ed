"""The folder of a demo: where it is, and what becomes of it at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def choose(keep: str | None) -> Path:
    """The folder that is to be kept, or a new one."""
    return Path(keep).expanduser().absolute() if keep else Path(tempfile.mkdtemp(prefix="hivetui-demo-"))


def clear(folder: Path, keep: bool) -> None:
    """End the agents that run in the folder; unless it is to be kept, remove it. One that is gone is no error."""
    from hivetui.embedded import end_agents, remove_embedded

    if not folder.exists():
        return
    if keep:
        end_agents(folder)
    else:
        remove_embedded(folder)


@contextmanager
def home(keep: str | None) -> Iterator[Path]:
    """A folder for as long as the block runs."""
    folder = choose(keep)
    try:
        yield folder
    finally:
        clear(folder, bool(keep))
