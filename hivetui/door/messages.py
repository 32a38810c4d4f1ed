"""What the server of the door and its warm parent tell each other: one JSON object a packet, over a socket pair.

The first packet that the parent gets is its `Home`; then it gets a `ConsoleRequest` with the descriptor of a terminal
for each console, and the number of one with a signal for it. It sends the number and status of each that ended.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

MAX_BYTES = 64 << 10
"""Of a packet. The longest has the settings of the console."""


@dataclass(frozen=True)
class Home:
    """What all consoles have in common: the engine's socket, their sections of the settings, and where reports go.

    `role` "look" gives up deciding for all of them; None leaves each operator the own role.
    """

    socket: str
    settings: dict[str, Any]
    reports: str
    role: str | None = None


@dataclass(frozen=True)
class ConsoleRequest:
    """One console: its number, whom it is for (`name`, `source`, `key`), and the variables of its environment."""

    number: int
    operator: dict[str, str]
    environment: dict[str, str]


def pack(content: Home | ConsoleRequest | dict[str, int]) -> bytes:
    """A packet with this content."""
    return json.dumps(content if isinstance(content, dict) else asdict(content)).encode()


def unpack(packet: bytes) -> dict[str, Any]:
    """The object of a packet."""
    content: dict[str, Any] = json.loads(packet)
    return content
