"""Finding the programs of the host on PATH."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import Unavailable

INSTALL = "Install {0} (on NixOS: add it to environment.systemPackages), or add its directory to PATH."


def require(host: Host, programs: Iterable[Sequence[str]]) -> None:
    """Raise Unavailable for the first of these programs (argv prefixes) that is not on PATH."""
    for argv in programs:
        if find(host, argv) is None:
            name = Path(argv[0]).name
            raise Unavailable(
                f"{name} is not installed", f"It was not found on PATH: {_path(host)}", INSTALL.format(name)
            )


def find(host: Host, argv: Sequence[str]) -> str | None:
    """The absolute path of the program in an argv prefix, None when it is not on PATH."""
    return shutil.which(argv[0], path=_path(host))


def _path(host: Host) -> str:
    return host.environment.get("PATH", os.defpath)
