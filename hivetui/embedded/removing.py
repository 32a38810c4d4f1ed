"""Removing an embedded host's folder: the real nix makes its store read-only, for its owner too."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove the folder and all in it; a missing one is no error. Raises OSError for what cannot be removed."""
    for place, _, _ in os.walk(folder / "nix/store"):
        if not Path(place).is_symlink():
            Path(place).chmod(0o755)
    if folder.exists():
        shutil.rmtree(folder)
