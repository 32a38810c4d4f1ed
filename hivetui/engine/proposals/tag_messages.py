"""The messages of the tags: lines for people, an empty line, one line of JSON for the engine. Pure.

The record of each tag is a frozen model. A message without one (a tag made by hand) parses to None, and its reader
falls back to what git knows of the tag.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hivetui.engine.model.errors import BadData
from hivetui.engine.model.findings import Finding, Severity, Side
from hivetui.engine.model.notes import LineNote
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.model.records import EffectReference
from hivetui.engine.model.text import exact_bytes, safe, show_bytes

MAX_TITLE_CHARS = 500
MAX_TEXT_CHARS = 8 << 10
"""Of a description or a note."""
MAX_ERROR_CHARS = 16 << 10
"""Of an error; of a longer one the end is kept, which names the cause."""
MAX_FINDINGS, MAX_FINDING_CHARS = 200, 200
"""Findings that a tag keeps, and characters of each text."""
_MAX_LINE_CHARS = 200


class TagRecord(BaseModel):
    """What the engine reads from a tag's message. Unknown fields are ignored: a later engine may have written them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime


class OperatorRecord(TagRecord):
    """The record of something that an operator did. `source` is "local", or the SSH peer and key."""

    operator: str
    source: str


class Submitted(OperatorRecord):
    """`proposal/<id>`: what is requested. `base` is the applied `main` (or meta's HEAD) at that time.

    `retry_of` is the id of the proposal whose commit is proposed again. In `title` bytes that are not UTF-8 are tokens;
    `title_base64` then has all bytes.
    """

    kind: ProposalKind
    agent: str
    base: str
    title: str
    description: str
    retry_of: int | None = None
    title_base64: str | None = None

    @property
    def exact_title(self) -> str:
        """The title, in which bytes that are not UTF-8 are lone surrogates."""
        if self.title_base64 is None:
            return self.title
        try:
            return base64.b64decode(self.title_base64, validate=True).decode("utf-8", "surrogateescape")
        except ValueError:  # a tag that was made by hand
            return self.title


class FindingRecord(BaseModel):
    """A finding as it was when its proposal was decided; one of a secret has no text of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    rule: str
    severity: Severity
    file: str | None
    line: int | None
    side: Side | None
    node: str | None
    text: str
    why: str
    acknowledged: bool = False


class Approved(OperatorRecord):
    """`approved/<id>`: who approved that `commit` replaces `base`, and which findings were acknowledged.

    `findings` is None in a tag of an engine that looked for none, and for what is exempt: a spawn, a rollback.
    `record` is the blob of its record, None in a tag from before there were any. `effect` is what the approval was
    bound to, and `effect_meta` the commit of meta that it was evaluated with; None if it was bound to no effect. `seen`
    is the digest of what its record says was seen, None where that is not known. `restart` asks for a restart even
    where the system stays the same.
    """

    kind: ProposalKind
    agent: str
    commit: str
    base: str
    note: str
    acknowledged: tuple[str, ...]
    findings: tuple[FindingRecord, ...] | None = None
    effect: EffectReference | None = None
    effect_meta: str | None = None
    record: str | None = None
    seen: str | None = None
    restart: bool = False


class Refused(OperatorRecord):
    """`denied/<id>` and `withdrawn/<id>`; only a denial must have a note. `base` is the `main` at that time.

    `lines` are the notes on lines of a denial, in which bytes that are not UTF-8 are tokens.
    """

    note: str
    base: str
    findings: tuple[FindingRecord, ...] | None = None
    record: str | None = None
    lines: tuple[LineNote, ...] = ()


class BuildRecord(BaseModel):
    """`building/<id>`: the state of the agent before its deploy, for the rollback.

    `old_system` is a store path, None for an agent without a system.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    old_system: str | None
    was_running: bool
    meta_head: str
    main: str


class Deployed(TagRecord):
    """`deployed/<id>`: the commit that has become `main`; `unchanged` if its system is the one that ran before.

    `system` is the store path of what was built from it, None for a spawn and in older tags.
    """

    commit: str
    unchanged: bool = False
    system: str | None = None


class Failed(TagRecord):
    """`failed/<id>`: the end of the error: what happened, why and what to do, in one text."""

    error: str


R = TypeVar("R", bound=BaseModel)


def format_message(line: str, record: BaseModel, notes: Iterable[str] = ()) -> str:
    """The message of a tag: `line`, the notes on lines, and in ASCII the record. What is for people is safe to show."""
    paragraphs = (safe(line, _MAX_LINE_CHARS), "\n".join(notes), json.dumps(record.model_dump(mode="json")))
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def parse_message(message: str | None, record_type: type[R]) -> R | None:
    """The record in a tag's message, or None when it has no record of this type."""
    line = (message or "").rstrip("\n").rpartition("\n")[2]
    try:
        return record_type.model_validate_json(line)
    except ValidationError:
        return None


def escape_undecodable(text: str) -> str:
    """`text` as JSON can hold it: lone surrogates, which are undecodable bytes, become tokens."""
    return show_bytes(text)


def base64_of_undecodable(text: str) -> str | None:
    """The bytes of `text` in base64 if not all of them are UTF-8, else None."""
    exact = exact_bytes(text)
    return None if exact is None else base64.b64encode(exact).decode("ascii")


def record_findings(findings: Sequence[Finding], acknowledged: Collection[str] = ()) -> tuple[FindingRecord, ...]:
    """What a tag keeps of the findings of a proposal: the most serious ones, their text shortened."""
    return tuple(
        FindingRecord(
            **finding.model_dump(include={"id", "rule", "severity", "line", "side", "why"}),
            file=escape_undecodable(finding.file) if finding.file is not None else None,
            node=escape_undecodable(finding.node) if finding.node is not None else None,
            text=escape_undecodable(finding.text)[:MAX_FINDING_CHARS],
            acknowledged=finding.id in acknowledged,
        )
        for finding in findings[:MAX_FINDINGS]
    )


def recorded_note(note: LineNote) -> LineNote:
    """A note as a record stores it."""
    return note.model_copy(update={"file": escape_undecodable(note.file), "text": escape_undecodable(note.text)})


def describe_note(note: LineNote) -> str:
    """A note as a tag has it for people: `FILE:FROM[-TO]: TEXT`, in one line."""
    old = " (a line of the old file)" if note.side == "old" else ""
    return f"{safe(note.file)}:{note.lines}: {safe(' '.join(note.text.split()))}{old}"


def clean_text(text: str, field: str) -> str:
    """A description or note as a record stores it; BadData when it is too long. `field` names it in the error."""
    text = escape_undecodable(text).strip()
    if len(text) > MAX_TEXT_CHARS:
        raise BadData(
            f"The {field} is {len(text)} characters long",
            f"It may have at most {MAX_TEXT_CHARS}.",
            "Shorten it, and put the details into the commit message.",
        )
    return text
