"""Moves the base flake of an embedded hive, and meta's lock with it, as somebody beside hivetui would."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from hivetui.embedded.layout import Layout


def move_base(folder: Path, talk_seconds: int) -> None:
    """Give every agent another default; `talk_seconds` must be one that it has not."""
    base, meta = folder / "var/lib/embedded/base", folder / "var/lib/hyperhive/meta"
    who = ("-c", "user.name=x", "-c", "user.email=x@y")
    defaults = json.loads((base / "defaults.json").read_text()) | {"talkSeconds": talk_seconds}
    (base / "defaults.json").write_text(json.dumps(defaults) + "\n")
    subprocess.run(["git", *who, "commit", "-qam", "Talk"], cwd=base, check=True)
    nix = Layout(folder).nix_program("nix")
    lock = ["flake", "lock", "--update-input", "hyperhive", f"git+file://{meta}"]
    subprocess.run([*nix, *lock], check=True, capture_output=True)
    subprocess.run(["git", *who, "commit", "-qam", "Move the base"], cwd=meta, check=True)
