"""nix-env for an embedded host without nix: `nix-env -p PROFILE --set PATH`, as one rename.

Generations are kept as `NAME-N-link` beside the profile, as nix keeps them. Setting what is set makes none.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from hivetui.embedded.folder import Folder, lock


def main(root: str, arguments: list[str]) -> int:
    """Run it; its exit status."""
    rest, profile, target = list(arguments), "", ""
    while rest:
        option = rest.pop(0)
        if option in ("-p", "--profile") and rest:
            profile = rest.pop(0)
        elif option == "--set" and rest:
            target = rest.pop(0)
        elif option == "--version":
            print("nix-env (Nix) 2.19.0+embedded")
            return 0
        elif option != "--":
            return _complain(f"the embedded nix-env does not know '{option}'")
    if not profile or not target:
        return _complain("the embedded nix-env plays `-p PROFILE --set PATH` only")
    path = Path(os.path.realpath(target))
    if path.parent != Folder(root).store.resolve() or not path.exists():
        return _complain(f"path '{target}' is not valid")
    _set(Path(profile), path)
    return 0


def _complain(text: str) -> int:
    sys.stderr.write(f"error: {text}\n")
    return 1


def _set(profile: Path, path: Path) -> None:
    held = lock(profile.with_name(f".{profile.name}.lock"))
    try:
        if profile.exists() and profile.resolve() == path:
            return
        link = profile.with_name(f"{profile.name}-{_newest(profile) + 1}-link")
        link.symlink_to(path)
        fresh = profile.with_name(f".{profile.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(link.name)
        fresh.replace(profile)
    finally:
        os.close(held)


def _newest(profile: Path) -> int:
    pattern = re.compile(re.escape(profile.name) + r"-([0-9]+)-link")
    found = (pattern.fullmatch(name) for name in os.listdir(profile.parent))  # noqa: PTH208  (names only)
    return max((int(match[1]) for match in found if match), default=0)
