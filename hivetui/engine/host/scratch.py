"""Private working directories: a fresh one for whoever leaves files lying where it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hivetui.engine.host import files, temp_dirs
from hivetui.engine.host.places import Places


@contextmanager
def folder(places: Places) -> Iterator[Path]:
    """A new, empty folder of mode 0700 below `places.work`, removed at the end of the block with all that is in it.

    It is locked meanwhile, so that one whose maker was killed can be told and removed.
    """
    files.make_folder(places.work)
    with ExitStack() as stack:
        with files.told(f"a folder in {places.work} could not be made"):
            made = stack.enter_context(temp_dirs.folder(places.work, "work-"))
        yield made
