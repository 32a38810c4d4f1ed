"""Open the hive that a command line names: settings first, then the engine in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hivetui.cli.parser import Request
from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine import hive
from hivetui.engine.host import settings_files
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.settings import Settings

CREATING = (None, "spawn")
"""The commands that create an embedded hive where there is none: the console and the verb that makes an agent."""


def load_settings(request: Request, environment: Mapping[str, str]) -> Settings:
    """The settings that apply to this command line."""
    return settings_files.load(environment, Path(request.config) if request.config else None)


async def open_hive(request: Request, environment: Mapping[str, str], repair: bool = True) -> hive.LocalHive:
    """Open the hive of the command line; without `repair`, opening changes nothing."""
    settings = load_settings(request, environment)
    operator = from_environment(environment)
    if request.embedded:
        folder = Path(request.embedded).expanduser().absolute()
        create = request.command in CREATING
        return await open_embedded_hive(folder, settings, operator, repair, create)
    root = Path(request.root or "/").absolute()
    return await hive.open_system_hive(root, settings, environment, operator, repair=repair)
