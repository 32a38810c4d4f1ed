"""New revisions of the base flake of an embedded hive."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from hivetui.engine.host.host import Host


def new_base(host: Host, seconds: int) -> str:
    """A new revision of the base flake, in which agents talk every so many seconds: every system differs."""
    base = host.paths.root / "var/lib/embedded/base"
    defaults = json.loads((base / "defaults.json").read_text()) | {"talkSeconds": seconds}
    (base / "defaults.json").write_text(json.dumps(defaults) + "\n")
    git(base, "commit", "--quiet", "--all", "--message", f"Talk every {seconds} s")
    return git(base, "rev-parse", "HEAD")


def git(folder: Path, *words: str) -> str:
    """What git prints, without the end of its line."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@y")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()
