"""What `systemd-analyze security` says of changed services, from their text alone (--offline, since systemd 251)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hivetui.engine.host import files, programs, scratch
from hivetui.engine.host.host import Command, Host
from hivetui.engine.model.effect import Exposure, UnitChange, UnitChanges
from hivetui.engine.model.text import to_bytes
from hivetui.engine.nix import evaluation
from hivetui.engine.review.effect.systems import unit_text

_PROGRAM = "systemd-analyze"
_OLDEST = 251
"""Before it, the results about system calls are inverted."""
_MAX_UNITS = 30
_SECONDS = 20.0
_LEVEL = re.compile(r"Overall exposure level for .*: ([0-9]+(?:\.[0-9]+)?) ")


async def add_exposure(host: Host, units: UnitChanges, old: Mapping[str, Any], new: Mapping[str, Any]) -> UnitChanges:
    """The same with the exposure of each changed service on both sides, where the tool is there."""
    services = [one for one in units.changed if one.unit.endswith(".service")]
    if not services or not await _is_usable(host):
        return units
    measured: dict[str, UnitChange] = {}
    for one in services[:_MAX_UNITS]:
        before, after = [await _measure(host, unit_text(side[one.unit])) for side in (old, new)]
        measured[one.unit] = one.model_copy(update={"exposure": Exposure(old=before, new=after)})
    return units.model_copy(update={"changed": tuple(measured.get(one.unit, one) for one in units.changed)})


async def _is_usable(host: Host) -> bool:
    if programs.find(host, (_PROGRAM,)) is None:
        return False
    completed = await host.runner.run(Command((_PROGRAM, "--version"), timeout=_SECONDS), _ignore)
    version = re.match(r"systemd (\d+)", completed.text)
    return version is not None and int(version[1]) >= _OLDEST


async def _measure(host: Host, text: str) -> float | None:
    """The exposure of a unit of this text; on a real host it is parsed as a user without rights: an agent wrote it."""
    with scratch.scratch_directory(host.paths) as folder:
        folder.chmod(0o755)
        file = Path(folder, "unit.service")  # not its own name, which an agent chose
        files.replace(file, to_bytes(text), 0o644)
        prefix = evaluation.drop_rights() if os.geteuid() == 0 and not host.embedded else ()
        words = (*prefix, _PROGRAM, "security", "--offline=true", "--no-pager", str(file))
        completed = await host.runner.run(Command(words, timeout=_SECONDS), _ignore)
    return parse_level(completed.text) if completed.status == 0 else None


def _ignore(_stream: str, _text: str, _cut: int) -> None:
    """Only the level counts."""


def parse_level(output: str) -> float | None:
    """The level in the output of the tool."""
    level = _LEVEL.search(output)
    return float(level[1]) if level else None
