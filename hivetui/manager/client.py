"""Ask the hive through the manager's door: propose a change, ask for an agent, withdraw, see what became of it.

Standard library only; the file works by itself: `python3 client.py status`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOCKET = "/run/hive/manager.sock"
VARIABLE = "HIVE_MANAGER_SOCKET"
"""Another place of the socket, for trying it outside of a container."""
_SECONDS = 120.0
_MAX_ANSWER = 16 << 20
_NO_DOOR, _REFUSED = 69, 1


class DoorError(Exception):
    """The door is not there, or does not answer as it should."""


def socket_path() -> Path:
    """Where the socket is."""
    return Path(os.environ.get(VARIABLE) or SOCKET)


def ask(request: dict[str, Any], path: Path | None = None) -> dict[str, Any]:
    """The answer to one request; DoorError when there is none."""
    place = path or socket_path()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(_SECONDS)
            door.connect(str(place))
            door.sendall(json.dumps(request).encode() + b"\n")
            with door.makefile("rb") as answers:
                answer = json.loads(answers.readline(_MAX_ANSWER))
    except (OSError, ValueError) as error:
        raise DoorError(f"The door {place} does not answer: {error}") from error
    if not isinstance(answer, dict):
        raise DoorError(f"The door {place} gave something else than an answer")
    return answer


def main(argv: Sequence[str] | None = None) -> int:
    """Run one request and print its answer; the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        answer = ask(arguments.request(arguments))
    except DoorError as error:
        print(error, file=sys.stderr)
        return _NO_DOOR
    if not answer.get("ok"):
        print(_plain(str(answer.get("error"))), file=sys.stderr)
        return _REFUSED
    if arguments.json:
        print(json.dumps(answer))
    else:
        print("\n".join(map(_plain, arguments.show(answer))))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hivetui", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    submit = _add_verb(verbs, "submit", "propose a commit of an agent's configuration", _submit, _show_id)
    submit.add_argument("name")
    submit.add_argument("commit", nargs="?", default="")
    submit.add_argument("-m", "--message", default="")
    spawn = _add_verb(verbs, "request-spawn", "ask for a new agent", _request_spawn, _show_id)
    spawn.add_argument("name")
    spawn.add_argument("-m", "--message", default="")
    withdraw = _add_verb(verbs, "withdraw", "take a pending proposal back", _withdraw, _show_id)
    withdraw.add_argument("id", type=lambda text: int(text.removeprefix("#")))
    _add_verb(verbs, "status", "the agents, and what became of the proposals", _status, _show_status)
    return parser


def _add_verb(verbs: Any, name: str, text: str, request: Any, show: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.set_defaults(request=request, show=show)
    return parser


def _submit(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "cmd": "request_apply_commit",
        "agent": given.name,
        "commit_ref": given.commit,
        "description": given.message,
    }


def _request_spawn(given: argparse.Namespace) -> dict[str, Any]:
    return {"cmd": "request_spawn", "name": given.name, "description": given.message}


def _withdraw(given: argparse.Namespace) -> dict[str, Any]:
    return {"cmd": "withdraw", "id": given.id}


def _status(_given: argparse.Namespace) -> dict[str, Any]:
    return {"cmd": "status"}


def _show_id(answer: dict[str, Any]) -> list[str]:
    return [f"proposal {answer['id']}", *(f"not committed on main: {path}" for path in answer.get("uncommitted", ()))]


def _show_status(answer: dict[str, Any]) -> list[str]:
    agents = [f"{agent['name']}  {agent['state']}" for agent in answer["agents"]]
    return [*agents, *(line for row in answer["proposals"] for line in _show_proposal(row))]


def _show_proposal(row: dict[str, Any]) -> list[str]:
    note = f": {row['note']}" if row["note"] else ""
    return [
        f"#{row['id']}  {row['kind']} of {row['agent']}  {row['state']}{note}",
        *(f"    {_place(line)}: {line['text']}" for line in row["lines"]),
    ]


def _place(line: dict[str, Any]) -> str:
    """The file and lines that a note of a denial is about."""
    lines = str(line["from"]) if line["from"] == line["to"] else f"{line['from']}-{line['to']}"
    return f"{line['file']}:{lines}" + (" (old)" if line["side"] == "old" else "")


def _plain(text: str) -> str:
    """Text without what a terminal obeys."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


if __name__ == "__main__":
    sys.exit(main())
