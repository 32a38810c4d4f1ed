"""Private working directories for programs that leave files in their working directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hivetui.engine.host import files, temp_dirs
from hivetui.engine.host.paths import Paths


@contextmanager
def scratch_directory(paths: Paths) -> Iterator[Path]:
    """A new, empty directory of mode 0700 below `paths.work`, removed at the end of the block with its contents.

    It is locked for the block, so that one whose owner was killed can be recognized and removed.
    """
    files.make_directory(paths.work)
    with ExitStack() as stack:
        with files.translate_os_errors(f"A directory in {paths.work} could not be created"):
            directory = stack.enter_context(temp_dirs.temporary_directory(paths.work, "work-"))
        yield directory
