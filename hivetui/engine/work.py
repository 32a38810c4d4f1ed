"""Private working directories: a fresh one for whoever leaves files lying where it works."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from . import files
from .places import Places


@contextmanager
def folder(places: Places) -> Iterator[Path]:
    """A new, empty folder of mode 0700 below `places.work`, removed at the end of the block with all that is in it."""
    files.make_folder(places.work)
    with files.told(f"a folder in {places.work} could not be made"):
        made = Path(tempfile.mkdtemp(dir=places.work))
    try:
        yield made
    finally:
        rmtree(made, ignore_errors=True)
