"""What a rule can match. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from hivetui.engine.model.effect import OptionChange
from hivetui.engine.model.findings import Side
from hivetui.engine.review.findings.pattern import join_path

Kind = Literal["option", "text", "path", "lock", "message", "history", "effect"]


@dataclass(frozen=True)
class Subject:
    """One thing that a change adds or, on side "old", removes.

    `text` is what a regular expression is matched with: for an option its normalised value, else a line. `path` is the
    attribute path of an option. `node` names the object; with file, node and text it is the evidence of a finding.
    `known` says that the value of an option is a constant, `content` is evidence that is not shown (a blob's hash).
    `evaluated` is the option of an effect that it is part of, None for what was read and not evaluated.
    """

    kind: Kind
    text: str
    side: Side = "new"
    file: str | None = None
    line: int | None = None
    node: str | None = None
    path: tuple[str, ...] = ()
    known: bool = True
    size: int = 0
    content: str = ""
    evaluated: OptionChange | None = None

    @cached_property
    def joined_path(self) -> str:
        """The path as one text."""
        return join_path(self.path)


def finding_id(rule: str, version: int, evidence: tuple[str | None, ...]) -> str:
    """RULE@VERSION:HASH. The evidence has no line numbers, so that a moved line keeps its id."""
    data = json.dumps(evidence, ensure_ascii=True).encode("ascii")
    return f"{rule}@{version}:{hashlib.sha256(data).hexdigest()[:16]}"
