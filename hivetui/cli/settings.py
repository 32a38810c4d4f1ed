"""The settings of a command line. Apart from what opens a hive, because a console reads them without the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hivetui.cli.parser import Request
from hivetui.engine.host import settings_files
from hivetui.engine.model.settings import Settings


def load_settings(request: Request, environment: Mapping[str, str]) -> Settings:
    """The settings that apply to this command line."""
    return settings_files.load(environment, Path(request.config) if request.config else None)
