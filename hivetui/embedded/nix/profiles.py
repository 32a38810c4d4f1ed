"""nix-env for an embedded host without nix: `nix-env -p PROFILE --set PATH`, as one rename.

Generations are kept as `NAME-N-link` beside the profile, as nix keeps them. Setting the current path again creates no
generation.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from hivetui.embedded.files import locked, replace_link
from hivetui.embedded.layout import Layout


def main(root: str, arguments: list[str]) -> int:
    """Run the command; its exit status."""
    remaining, profile, target = list(arguments), "", ""
    while remaining:
        option = remaining.pop(0)
        if option in ("-p", "--profile") and remaining:
            profile = remaining.pop(0)
        elif option == "--set" and remaining:
            target = remaining.pop(0)
        elif option == "--version":
            print("nix-env (Nix) 2.19.0+embedded")
            return 0
        elif option != "--":
            return _fail(f"the embedded nix-env does not support '{option}'")
    if not profile or not target:
        return _fail("the embedded nix-env supports only `-p PROFILE --set PATH`")
    path = Path(os.path.realpath(target))
    if path.parent != Layout(root).store.resolve() or not path.exists():
        return _fail(f"path '{target}' is not valid")
    _set(Path(profile), path)
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 1


def _set(profile: Path, path: Path) -> None:
    with locked(profile.with_name(f".{profile.name}.lock")):
        if profile.exists() and profile.resolve() == path:
            return
        generation = profile.with_name(f"{profile.name}-{_latest_generation(profile) + 1}-link")
        generation.symlink_to(path)
        replace_link(profile, generation.name)


def _latest_generation(profile: Path) -> int:
    pattern = re.compile(re.escape(profile.name) + r"-([0-9]+)-link")
    matches = (pattern.fullmatch(name) for name in os.listdir(profile.parent))  # noqa: PTH208  (names only)
    return max((int(match[1]) for match in matches if match), default=0)
