"""Private working directories: a fresh one for whoever leaves files lying where it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hivetui.engine.host import files, temp_dirs
from hivetui.engine.host.paths import Paths


@contextmanager
def scratch_directory(paths: Paths) -> Iterator[Path]:
    """A new, empty folder of mode 0700 below `paths.work`, removed at the end of the block with all that is in it.

    It is locked meanwhile, so that one whose maker was killed can be told and removed.
    """
    files.make_directory(paths.work)
    with ExitStack() as stack:
        with files.translate_os_errors(f"a folder in {paths.work} could not be made"):
            made = stack.enter_context(temp_dirs.temporary_directory(paths.work, "work-"))
        yield made
