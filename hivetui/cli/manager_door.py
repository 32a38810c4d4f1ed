"""The verbs that go through the manager's door: in the manager's container, without an option that names a hive."""

from __future__ import annotations

from hivetui.cli.parser import Request
from hivetui.engine.model.errors import Unavailable
from hivetui.manager import client

VERBS = ("submit", "withdraw", "request-spawn", "status")


def is_wanted(request: Request) -> bool:
    """Whether the verb goes through the door."""
    names_hive = request.root or request.embedded or request.hosts
    return (
        request.command in VERBS and not names_hive and (request.command == "status" or client.socket_path().exists())
    )


def run(request: Request) -> int:
    """Ask the door; Unavailable where there is none."""
    if not client.socket_path().exists():
        why = f"{client.socket_path()} is in the container of a manager whose engine runs."
        raise Unavailable("There is no manager's door here", why, "On the host, use: hivetui proposals")
    return client.main([request.command, *_options(request), "--", *_arguments(request)])


def _options(request: Request) -> list[str]:
    message = getattr(request, "message", "")
    return [*(["--json"] if request.json else []), *([f"--message={message}"] if message else [])]


def _arguments(request: Request) -> list[str]:
    if request.command == "withdraw":
        return [str(request.id)]
    if request.command == "submit":
        return [request.name, *([request.commit] if request.commit else [])]
    return [request.name] if request.command == "request-spawn" else []
