"""Notes on lines of a proposal: what a denial says besides its reason, and what became of the lines. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from hivetui.engine.model.base import Model
from hivetui.engine.model.findings import Side

MAX_NOTES = 100
"""Of one denial."""
MAX_NOTE_CHARS = 2000
MAX_NOTES_CHARS = 32 << 10
"""Of the texts of all notes of a denial together."""
_MAX_LINE = 10**9
PUBLIC_NAMES = {"first": "from", "last": "to"}
"""Of the fields of a note, in JSON."""
_READING = re.compile(r"(?=:(?:(old|new|):)?([1-9][0-9]{0,8})(?:-([1-9][0-9]{0,8}))?(:))", re.ASCII)


class LineNote(Model):
    """A note on the lines `first` to `last` of a file, counted from 1, on the side of the proposal or of its base.

    In JSON the lines are `from` and `to`. Bytes of `file` that are not UTF-8 are lone surrogates.
    """

    file: str
    side: Side = "new"
    first: int = Field(ge=1, le=_MAX_LINE)
    last: int = Field(ge=1, le=_MAX_LINE)
    text: str

    @model_validator(mode="before")
    @classmethod
    def _take_public_names(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "from" not in content:
            return content
        first, last = content["from"], content.get("to")
        others = {key: value for key, value in content.items() if key not in ("from", "to")}
        return {**others, "first": first, "last": first if last is None else last}

    @field_validator("file")
    @classmethod
    def _require_path(cls, value: str) -> str:
        value.encode("utf-8", "surrogateescape")  # UnicodeEncodeError is a ValueError
        if not value or "\0" in value:
            raise ValueError("not a path")
        return value

    @model_validator(mode="after")
    def _require_order(self) -> LineNote:
        if self.last < self.first:
            raise ValueError("`to` is before `from`")
        return self

    @model_serializer(mode="wrap")
    def _use_public_names(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {PUBLIC_NAMES.get(key, key): value for key, value in handler(self).items()}

    @property
    def lines(self) -> str:
        """The lines in words: "3" or "3-5"."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


GivenNote = LineNote | str
"""A note, or `FILE:[SIDE:]FROM[-TO]:TEXT` as a command line has it."""


class Mark(StrEnum):
    """Whether a later proposal changed the lines of a note."""

    TOUCHED = "touched"
    UNTOUCHED = "untouched"


class MarkedNote(LineNote):
    """A note of a denied proposal, as a later one stands to it.

    `now` is the line of the later proposal where the lines of the note begin, or where something else is in their
    place; None when the file is gone, and for a line that neither of them has.
    """

    mark: Mark
    now: int | None = None


class DeniedBefore(Model):
    """The denied proposal that a later one of the same agent answers; `note` is why it was denied.

    `base` is what it was compared with.
    """

    id: int
    commit: str
    base: str
    note: str
    decided_by: str
    decided_at: datetime
    lines: tuple[MarkedNote, ...] = ()


def read_note(text: str) -> list[LineNote]:
    """All ways to read `FILE:[SIDE:]FROM[-TO]:TEXT`, the one with the longest FILE first; [] when there is none.

    FILE and TEXT may have colons, so only a look at the files tells which one is meant.
    """
    found = []
    for match in _READING.finditer(text):
        side, first, last, _ = match.groups()
        file, note = text[: match.start()], text[match.end(4) :]
        if file and int(last or first) >= int(first):
            side_of: Side = "old" if side == "old" else "new"
            found.append(LineNote(file=file, side=side_of, first=int(first), last=int(last or first), text=note))
    return found[::-1]
