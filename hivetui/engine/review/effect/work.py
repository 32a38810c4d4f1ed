"""What a build of a derivation would build and fetch. The parsing is pure."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hivetui.engine.host.host import Command, Host
from hivetui.engine.model.effect import Work
from hivetui.engine.nix import evaluation
from hivetui.engine.nix.evaluation import Evaluator

_HEAD = re.compile(
    r"^(?:this|these) (?:\d+ )?(derivations?|paths?) will be (?:built|fetched)(?: \(([\d.]+) ([KMGT]?i?B) download)?",
    re.ASCII,
)
_PATH = re.compile(r"^  (?:/[^\s/]+)*/[0-9a-z]{32}-([A-Za-z0-9+._?=-]+?)(?:\.drv)?$", re.ASCII)
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_MAX_NAMES = 1000


async def estimate(host: Host, who: Evaluator, derivation: str, last_seconds: float | None) -> Work:
    """What nix says that it would do, and the free space where it would put it."""
    command = (*who.prefix, *host.tools.nix, "build", "--dry-run", "--no-link", derivation)
    completed = await host.runner.run(
        Command(command, env=who.environment, timeout=evaluation.QUERY_TIMEOUT, keep=8 << 20), _ignore
    )
    told = completed.stderr.decode("utf-8", "surrogateescape") if completed.status == 0 else ""
    return parse_plan(told).model_copy(update={"last_seconds": last_seconds, "free_bytes": _free_bytes(host)})


def _ignore(_stream: str, _text: str, _cut: int) -> None:
    """The plan is parsed as a whole."""


def parse_plan(stderr: str) -> Work:
    """The plan that `nix build --dry-run` prints."""
    names: dict[str, list[str]] = {"derivation": [], "path": []}
    kind, download = "", None
    for line in stderr.splitlines():
        if head := _HEAD.match(line):
            kind = head[1].removesuffix("s")
            if head[2]:
                download = int(float(head[2]) * _UNITS.get(head[3], 1))
        elif kind and (found := _PATH.match(line)):
            names[kind].append(found[1])
        else:
            kind = ""
    build, fetch = (tuple(sorted(names[one])[:_MAX_NAMES]) for one in ("derivation", "path"))
    return Work(build=build, fetch=fetch, download_bytes=download if fetch else 0)


def _free_bytes(host: Host) -> int | None:
    store = Path(host.paths.root / "nix/store")
    try:
        found = os.statvfs(store)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
