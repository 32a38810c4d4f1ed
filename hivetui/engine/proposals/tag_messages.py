"""The messages of the tags: one line for people, an empty line, one line of JSON for the engine. Pure.

Each state has a frozen model. A message that does not parse (a tag made by hand) is None here and is still shown by
whoever reads the tags.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.model.text import safe

MAX_TITLE_CHARS = 500
"""Characters of a title."""
MAX_TEXT_CHARS = 8 << 10
"""Characters of a description or a note."""
MAX_ERROR_CHARS = 16 << 10
"""Characters of an error that a tag keeps: its end."""


class TagRecord(BaseModel):
    """What the engine reads of a tag's message. Unknown fields are ignored: a later engine may have written it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime


class OperatorRecord(TagRecord):
    """A record of something that an operator did. `source` is "local", or the SSH peer and key."""

    operator: str
    source: str


class Submitted(OperatorRecord):
    """`proposal/<id>`: what is asked for. `base` is the applied `main` (or meta's HEAD) when it came."""

    kind: ProposalKind
    agent: str
    base: str
    title: str
    description: str


class Approved(OperatorRecord):
    """`approved/<id>`: who let `commit` run in place of `base`, and which findings were acknowledged."""

    kind: ProposalKind
    agent: str
    commit: str
    base: str
    note: str
    acknowledged: tuple[str, ...]


class Refused(OperatorRecord):
    """`denied/<id>` and `withdrawn/<id>`; only a denial has to have a note. `base` is the `main` of then."""

    note: str
    base: str


class BuildRecord(BaseModel):
    """`building/<id>`: how the host was before the deploy began. `old_system` is a store path, None without one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    old_system: str | None
    was_running: bool
    meta_head: str
    main: str


class Deployed(TagRecord):
    """`deployed/<id>`."""

    commit: str


class Failed(TagRecord):
    """`failed/<id>`: the end of the error, what, why and what to do in one text."""

    error: str


R = TypeVar("R", bound=BaseModel)


def format_message(line: str, record: BaseModel) -> str:
    """The message of a tag: all ASCII but the first line, which is safe to show."""
    return f"{safe(line, 200)}\n\n{json.dumps(record.model_dump(mode='json'))}\n"


def parse_message(message: str | None, shape: type[R]) -> R | None:
    """The record in a tag's message, or None where there is none of this shape."""
    line = (message or "").rstrip("\n").rpartition("\n")[2]
    try:
        return shape.model_validate_json(line)
    except ValidationError:
        return None


def escape_undecodable(text: str) -> str:
    """`text` as a record can hold it: what is no Unicode (bytes of a broken command line) as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
