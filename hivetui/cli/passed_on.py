"""Lists as JSON, passed on as the service gives them: no value is built of them, so that asking often costs little.

Whatever is not that simple is left to `dispatch`, which asks again: nothing here changes anything. On a terminal that
is also an answer that takes long, since `dispatch` says what it waits for.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from hivetui.cli.service_choice import find_service
from hivetui.client.unix_socket import ANSWER_SECONDS, login_behind_sudo
from hivetui.engine.model.schema import SCHEMA
from hivetui.engine.model.text import safe
from hivetui.wire import errors, frames, versions
from hivetui.wire.frames import Json

if TYPE_CHECKING:
    from hivetui.cli.output import Output
    from hivetui.cli.parser import Request

_MEMBERS: dict[str, Callable[[Request], Json]] = {
    "agents": lambda _: {},
    "proposals": lambda request: {"all": request.all, "files": True, "findings": True},
    "operations": lambda request: {"all": request.all},
    "warnings": lambda _: {},
}
"""The verbs whose answer has the list that they print, and what they ask for."""

_PATIENCE_SECONDS = 1.0
"""How long an answer is waited for on a terminal without a word."""


def run(request: Request, out: Output) -> bool:
    """Print the list that is asked for; False when it is not one of these, or no service listens or answers."""
    members = _MEMBERS.get(request.command or "")
    if members is None or not request.json or request.hosts:
        return False
    connected = find_service(request)
    if connected is None:
        return False
    with connected, connected.makefile("rb") as answers:
        try:
            difference, answer = _ask(connected, answers, request, members(request), out.stderr.isatty())
        except OSError:
            return False
    if request.command not in answer:  # of an engine of another version, which `dispatch` explains
        return False
    for message in (*([] if difference is None else [difference]), *answer.get("messages", ())):
        out.print_message(safe(message))
    out.print_json({request.command: answer[request.command]})
    return True


def _ask(
    connected: socket.socket, answers: BinaryIO, request: Request, members: Json, on_terminal: bool
) -> tuple[str | None, Json]:
    """What is to be told of the engine's version, and the answer to one request; OSError when there is none."""
    login = {"role": "look" if request.read_only else None, "operator": login_behind_sudo()}
    greeting = {"schema": SCHEMA, **{name: value for name, value in login.items() if value is not None}}
    connected.settimeout(_PATIENCE_SECONDS if on_terminal else ANSWER_SECONDS)
    difference = versions.describe_engine(_exchange(connected, answers, {"id": 1, "verb": "hello", **greeting}))
    connected.settimeout(_PATIENCE_SECONDS if on_terminal else None)
    return difference, _exchange(connected, answers, {"id": 2, "verb": request.command, **members})


def _exchange(connected: socket.socket, answers: BinaryIO, frame: Json) -> Json:
    connected.sendall(frames.encode(frame))
    line = answers.readline(frames.MAX_ANSWER_BYTES)
    if not line.endswith(b"\n"):
        raise ConnectionError
    answer = frames.decode(line)
    if not answer.get("ok"):
        raise errors.from_json(answer.get("error") or {})
    return answer
