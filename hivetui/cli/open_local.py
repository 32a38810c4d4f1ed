"""Open the hive that a command line names with the engine in this process: settings first, then the host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hivetui.cli.new_hive import announce_new_hive
from hivetui.cli.parser import Request
from hivetui.cli.settings import load_settings
from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine import hive, tool_messages
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.errors import BadData

CREATING = (None, "spawn")
"""The commands that create an embedded hive where there is none: the console and the verb that makes an agent."""


async def open_local_hive(request: Request, environment: Mapping[str, str], repair: bool = True) -> hive.LocalHive:
    """Open the hive of the command line; without `repair`, opening changes nothing."""
    settings = load_settings(request, environment)
    operator, role = from_environment(environment), "look" if request.read_only else "decide"
    if request.embedded:
        folder = Path(request.embedded).expanduser().absolute()
        is_of_console = request.command == "engine" and request.stdio
        create = request.command in CREATING or is_of_console
        announcement = announce_new_hive(request)
        opened = await open_embedded_hive(folder, settings, operator, repair, create, role)
        tool_messages.pass_on([announcement] if announcement else [])
        return opened
    root = Path(request.root or "/").absolute()
    _require_usable(root)
    return await hive.open_system_hive(root, settings, environment, operator, repair=repair, role=role)


def _require_usable(root: Path) -> None:
    """BadData for a path that cannot be one of a directory; a missing directory is an empty host."""
    try:
        is_usable = root.is_dir() or not root.exists()
        why = "It is not a directory."
    except OSError as failure:  # a name that is too long, a directory that cannot be searched
        is_usable, why = False, f"{failure.strerror}."
    if not is_usable:
        raise BadData(f"--root {str(root)[:200]!r} cannot be used", why, "Give a directory, or leave --root out.")
