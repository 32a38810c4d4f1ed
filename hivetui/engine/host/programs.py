"""The programs of the host: where each is on PATH, and the refusal when one is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import Unavailable

INSTALL = "Put {0} on PATH (on NixOS: add it to environment.systemPackages)."


def require(host: Host, programs: Iterable[Sequence[str]]) -> None:
    """Unavailable, naming the first of these programs (argv prefixes) that is not on PATH."""
    for argv in programs:
        if find(host, argv) is None:
            name = Path(argv[0]).name
            raise Unavailable(
                f"{name} is not there", f"No program of this name is on PATH: {_path(host)}", INSTALL.format(name)
            )


def find(host: Host, argv: Sequence[str]) -> str | None:
    """The program of this argv prefix as an absolute path, None when it is not on PATH."""
    return shutil.which(argv[0], path=_path(host))


def _path(host: Host) -> str:
    return host.environment.get("PATH", os.defpath)
