"""A git that hangs when it is to do one thing, once it is told to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class HangingGit:
    """A git in `folder` that does not end when it does `word`, such as diff-tree, while it `hangs`."""

    def __init__(self, folder: Path, word: str) -> None:
        self._hangs, git = folder / "hangs", folder / "git"
        git.write_text(
            f'#!/bin/sh\ntest -e {self._hangs} && case " $* " in *" {word} "*) exec sleep 1000;; esac\n'
            f'exec {shutil.which("git")} "$@"\n'
        )
        git.chmod(0o755)
        self.path = f"{folder}:{os.environ['PATH']}"

    def hang(self) -> None:
        """From now on."""
        self._hangs.touch()
