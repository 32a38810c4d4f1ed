"""Whether the engine's service is wanted, from `[engine] service` alone: whoever uses the service reads no settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from hivetui.engine.host import settings_sources

_VARIABLE = "HIVETUI_ENGINE__SERVICE"
NEVER = "never"


def is_service_wanted(environment: Mapping[str, str], explicit: Path | None) -> bool:
    """Whether a service is to be used where one listens; what cannot be read here is reported by who reads it all."""
    if _VARIABLE in environment:
        return environment[_VARIABLE] != NEVER
    sources = [*settings_sources.files(environment), *([explicit] if explicit is not None else [])]
    found = [value for path in sources if (value := _service_of(path)) is not None]
    return not found or found[-1] != NEVER


def _service_of(path: Path) -> object:
    try:
        engine = tomllib.loads(path.read_text("utf-8")).get("engine")
    except (OSError, ValueError):
        return None
    return engine.get("service") if isinstance(engine, dict) else None
