"""Rules: data that says which subjects are findings. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hivetui.engine.model.errors import BadConfiguration
from hivetui.engine.model.findings import Severity
from hivetui.engine.review.findings.characters import DETECTORS
from hivetui.engine.review.findings.nix_values import COMPUTED
from hivetui.engine.review.findings.pattern import Pattern, can_begin, compile_option, compile_whole
from hivetui.engine.review.findings.subject import Subject

BEGINNING = 2
"""By so many first names options are sorted: most rules are about none of those that a change sets."""
_MAX_BEGINNINGS = 5000
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)

EFFECT_LINE = re.compile(
    r"unit \+ (?P<unit>\S+)|package ~ (?P<package>\S+) (?P<before>\S+) -> (?P<after>\S+)"
    r"|(?P<option>[^\s:]\S*): (?P<old>.+) -> (?P<new>.+)"
)
"""A line of an example of an effect; a value that is not defined is "-"."""


class Rule(BaseModel):
    """One rule; docs/findings.md describes the fields.

    A rule of `option` matches attribute paths, and `value` (and not `unless`) the normalised value; with `computed`
    also names and values that are not constants, with `unknown` only such values. With `object`, what is new below so
    many parts of a path is one finding; on side "old", only what is there still counts. With `count`, more than so many
    matches are one finding. `path` is the pattern of a path rule, and restricts others to some files; `ignore` leaves
    files out. `fires_effect` and `silent_effect` are fixtures of a rule of `option`: what an effect says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str
    version: int = Field(ge=1)
    severity: Severity
    why: str = Field(min_length=10)
    match: Literal["option", "text", "path", "lock", "message", "history", "effect"]
    option: tuple[str, ...] = ()
    text: str = ""
    path: str = ""
    value: str = ""
    unless: str = ""
    detect: str = ""
    side: Literal["old", "new"] = "new"
    computed: bool = False
    unknown: bool = False
    object: int = 0
    count: int = 0
    bytes: int = 0
    ignore: str = ""
    secret: bool = False
    fires: str | None = None
    silent: str | None = None
    fires_effect: str | None = None
    silent_effect: str | None = None

    @field_validator("id")
    @classmethod
    def _check_id(cls, name: str) -> str:
        if not _ID.fullmatch(name) or len(name) > 60:
            raise ValueError("an id is lower-case words joined by hyphens")
        return name

    @field_validator("option")
    @classmethod
    def _check_option(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            compile_option(pattern)
        return patterns

    @field_validator("text", "path", "value", "unless", "ignore")
    @classmethod
    def _check_expression(cls, text: str) -> str:
        _compile(text)
        return text

    @model_validator(mode="after")
    def _check_match(self) -> Rule:
        needed = {"option": self.option, "path": self.path or self.bytes}.get(self.match, self.text or self.detect)
        if not needed:
            field = self.match if self.match in ("option", "path") else "text"
            raise ValueError(f"a rule of {self.match} needs {field}")
        lines = [line for text in (self.fires_effect, self.silent_effect) if text for line in text.splitlines()]
        if lines and (self.match != "option" or not all(map(EFFECT_LINE.fullmatch, lines))):
            raise ValueError("an effect is lines such as `a.b: 1 -> 2`, and only a rule of option has examples of one")
        if self.detect and self.detect not in DETECTORS:
            raise ValueError(f"detect is one of {', '.join(DETECTORS)}")
        return self

    @cached_property
    def _patterns(self) -> tuple[Pattern, ...]:
        return tuple(pattern for text in self.option for pattern in compile_option(text))

    @cached_property
    def _expressions(self) -> Mapping[str, Any]:
        return {name: _compile(getattr(self, name)) for name in ("text", "path", "value", "unless", "ignore")}

    @cached_property
    def _by_beginning(self) -> dict[tuple[str, ...], re.Pattern[str] | None]:
        return {}

    def _expression_for(self, path: tuple[str, ...]) -> re.Pattern[str] | None:
        """What a path with this beginning must match, None if no pattern fits; most paths have few beginnings."""
        beginning = path[:BEGINNING]
        if beginning in self._by_beginning:
            return self._by_beginning[beginning]
        computed = self._may_be_computed(path)
        patterns = tuple(pattern for pattern in self._patterns if can_begin(pattern, beginning, computed))
        found = compile_whole(patterns, computed) if patterns else None
        if len(self._by_beginning) < _MAX_BEGINNINGS:
            self._by_beginning[beginning] = found
        return found

    def _may_be_computed(self, path: tuple[str, ...]) -> bool:
        return self.computed and path[0] != COMPUTED

    def may_find(self, path: tuple[str, ...]) -> bool:
        """Whether it may find an option whose path begins as this one."""
        return self._expression_for(path) is not None

    def finds(self, subject: Subject) -> bool:
        """Whether a subject is what the rule is about."""
        if subject.kind != self.match or subject.side != self.side or subject.size < self.bytes:
            return False
        if self.ignore and _search(self._expressions["ignore"], subject.file or ""):
            return False
        if self.match == "path":
            return not self.path or _search(self._expressions["path"], subject.text)
        if self.path and not _search(self._expressions["path"], subject.file or ""):
            return False
        if self.match == "option":
            expression = self._expression_for(subject.path)
            found = expression is not None and expression.fullmatch(subject.joined_path) is not None
            return found and self._finds_value(subject)
        if self.detect:
            return DETECTORS[self.detect](subject.text)
        return _search(self._expressions["text"], subject.text)

    def _finds_value(self, subject: Subject) -> bool:
        if self.unless and _search(self._expressions["unless"], subject.text):
            return False
        if self.unknown and subject.known:
            return False
        is_unknown = self.computed and not subject.known
        return not self.value or is_unknown or _search(self._expressions["value"], subject.text)


def parse_rule(table: Mapping[str, Any], source: str) -> Rule:
    """The rule in a table of a TOML file; BadConfiguration names the file, the rule and what is wrong."""
    fields = dict(table)
    if isinstance(option := fields.get("option"), str):
        fields["option"] = (option,)
    elif isinstance(option, list):
        fields["option"] = tuple(option)
    if isinstance(texts := fields.get("text"), list):
        fields["text"] = "|".join(f"(?:{text})" for text in texts)
    name = f"{source}: rule {str(fields.get('id', '?'))[:60]}"
    try:
        fields["severity"] = Severity(fields.get("severity", ""))
        return Rule.model_validate(fields)
    except ValidationError as error:
        details = error.errors()[0]
        key = ".".join(map(str, details["loc"])) or "it"
        why = f"{key}: {details['msg'].removeprefix('Value error, ')}"
        raise BadConfiguration(f"{name} is not valid", why, "Correct it; docs/findings.md has the format.") from error
    except ValueError as error:
        levels = ", ".join(Severity)
        raise BadConfiguration(f"{name} has no valid severity", f"It is one of {levels}.", "Correct it.") from error


def _compile(text: str) -> Any:
    import re2  # on first use: it takes 4 ms that the first frame does not need

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise ValueError(f"{text[:60]!r} is not a regular expression of RE2: {error}") from None


def _search(expression: Any, text: str) -> bool:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # RE2 takes no lone surrogates
    return expression.search(text) is not None
