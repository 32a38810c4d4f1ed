"""The service of a hive, if one is wanted and listens; `[engine] service` is the only setting that counts for that."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hivetui.client.unix_socket import connect_to_service
from hivetui.engine.host import settings_sources
from hivetui.engine.model.places import HOST_SOCKET

if TYPE_CHECKING:
    from hivetui.cli.parser import Request

_VARIABLE = "HIVETUI_ENGINE__SERVICE"
NEVER = "never"


def socket_path(request: Request) -> Path:
    """Where the service of this hive listens."""
    return Path(request.embedded or request.root or "/").expanduser().absolute() / HOST_SOCKET


def find_service(request: Request) -> socket.socket | None:
    """A connection to the service of this hive; None where none listens, or none is wanted."""
    if not is_service_wanted(os.environ, Path(request.config) if request.config else None):
        return None
    return connect_to_service(socket_path(request))


def is_service_wanted(environment: Mapping[str, str], explicit: Path | None) -> bool:
    """Whether a service is to be used where one listens; what cannot be read here is reported by who reads it all."""
    if _VARIABLE in environment:
        return environment[_VARIABLE] != NEVER
    sources = [*settings_sources.files(environment), *([explicit] if explicit is not None else [])]
    found = [value for path in sources if (value := _service_of(path)) is not None]
    return not found or found[-1] != NEVER


def _service_of(path: Path) -> object:
    import tomllib  # here, because most have no such file

    try:
        engine = tomllib.loads(path.read_text("utf-8")).get("engine")
    except (OSError, ValueError):
        return None
    return engine.get("service") if isinstance(engine, dict) else None
