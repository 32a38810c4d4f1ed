"""What both sides are told when they are of different versions. They keep to what both understand."""

from __future__ import annotations

import re

from hivetui import __version__
from hivetui.engine.model.schema import SCHEMA
from hivetui.wire.frames import Json

_SPOKEN = re.compile(r"hivetui/[0-9]{1,9}", re.ASCII)
_COMMON = "What only one of them knows is refused or left out"


def is_spoken(schema: str) -> bool:
    """Whether a peer with this schema can be talked to: it is one of ours, older or newer."""
    return _SPOKEN.fullmatch(schema) is not None


def describe_client(schema: str) -> str | None:
    """What an engine says to a client that speaks another schema; None for one that speaks its own."""
    if schema == SCHEMA:
        return None
    return f"This engine (hivetui {__version__}) speaks {SCHEMA}, and its client {schema}. {_COMMON}."


def describe_engine(hello: Json) -> str | None:
    """What a client says of an engine of another version than its own; None for one of the same."""
    schema, version = str(hello.get("schema"))[:40], str(hello.get("engine"))[:40]
    if (schema, version) == (SCHEMA, __version__):
        return None
    spoken = "" if schema == SCHEMA else f" and speaks {schema} instead of {SCHEMA}"
    return f"The engine is hivetui {version}{spoken}, and this is {__version__}. {_COMMON}: update the older one."
