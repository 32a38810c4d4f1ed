"""The verbs that go through the manager's door: in the manager's container, without an option that names a hive."""

from __future__ import annotations

import importlib

from hivetui.cli.parser import DOOR_VERBS, Request
from hivetui.engine.model.errors import Unavailable, WrongUsage
from hivetui.manager import client

_ONLY_HERE = ("status", "mcp")


def is_wanted(request: Request) -> bool:
    """Whether the verb goes through the door, or would have to."""
    is_there = not _names_hive(request) and client.socket_path().exists()
    return request.command in _ONLY_HERE or (request.command in DOOR_VERBS and is_there)


def run(request: Request) -> int:
    """Ask the door; Unavailable where there is none."""
    if _names_hive(request):
        why = "The door is the one of the container in which it is used, and belongs to one hive."
        raise WrongUsage(f"{request.command} takes no option that names a hive", why, "Leave the option out.")
    if not client.socket_path().exists():
        why = f"{client.socket_path()} is in the container of a manager whose engine runs."
        raise Unavailable("There is no manager's door here", why, "On the host, use: hivetui proposals")
    if request.command == "mcp":
        return _serve_tools()
    return client.main([request.command, *_options(request), "--", *_arguments(request)])


def _names_hive(request: Request) -> bool:
    return bool(request.root or request.embedded or request.hosts)


def _serve_tools() -> int:
    try:
        tools = importlib.import_module("hivetui.manager.tools")  # the SDK is an extra, and takes a second
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        why = "The SDK of the Model Context Protocol is not installed; it is the extra mcp of hivetui."
        raise Unavailable("hivetui mcp cannot run", why, "Install it: pip install 'hivetui[mcp]'") from missing
    tools.serve()
    return 0


def _options(request: Request) -> list[str]:
    message = getattr(request, "message", "")
    return [*(["--json"] if request.json else []), *([f"--message={message}"] if message else [])]


def _arguments(request: Request) -> list[str]:
    if request.command == "withdraw":
        return [str(request.id)]
    if request.command == "submit":
        return [request.name, *([request.commit] if request.commit else [])]
    return [request.name] if request.command == "request-spawn" else []
