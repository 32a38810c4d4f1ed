"""Values as compare.nix encodes them, in the notation of Nix. Pure."""

from __future__ import annotations

import re
from typing import Any

FAILED = ["e"]
"""A value that cannot be evaluated."""
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9./_+~@%,:-]+", re.ASCII)
"""A path that is written as it is."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MAX_DEPTH = 60


def render(value: Any, depth: int = 0) -> str:
    """A value as Nix writes it; «…» stands for what has no notation."""
    if not isinstance(value, list) or not value or depth > _MAX_DEPTH:
        return "«unknown»"
    tag, *rest = value
    if tag == "l":
        return " ".join(("[", *(_element(one, depth + 1) for one in rest[0]), "]"))
    if tag == "a":
        fields = (f"{name_of(name)} = {render(one, depth + 1)};" for name, one in sorted(rest[0].items()))
        return " ".join(("{", *fields, "}"))
    return _scalar(str(tag), rest)


def _scalar(tag: str, rest: list[Any]) -> str:
    if tag == "b":
        return "true" if rest[0] else "false"
    if tag == "i":
        return str(rest[0])
    if tag == "s":
        return quote(str(rest[0]))
    if tag == "p":
        return str(rest[0]) if _PATH.fullmatch(str(rest[0])) else f"«path {_without_marks(rest[0])}»"
    if tag == "d":
        return f"«derivation {_without_marks(rest[0])}»"
    if tag == "h":
        return f"«text of {rest[0]} bytes, sha256 {rest[1]}»"
    return {"n": "null", "e": "«cannot be evaluated»", "f": "«function»"}.get(tag, "«unknown»")


def _without_marks(text: Any) -> str:
    """A text of the proposal between « and », which it must not end itself."""
    return str(text).replace("«", "").replace("»", "")


def _element(value: Any, depth: int) -> str:
    text = render(value, depth)
    is_negative = value[:1] == ["i"] and text.startswith("-")
    return f"({text})" if is_negative else text


def quote(text: str) -> str:
    """A string literal (Nix manual, "String")."""
    escaped = "".join(_ESCAPES.get(character, character) for character in text)
    return '"' + escaped.replace("${", "\\${") + '"'


def name_of(name: str) -> str:
    """A name in an attribute path, quoted unless it is an identifier."""
    return name if _IDENTIFIER.fullmatch(name) else quote(name)


def dotted(path: list[str] | tuple[str, ...]) -> str:
    """An attribute path."""
    return ".".join(map(name_of, path))


def has_failed(value: Any) -> bool:
    """Whether a value, or a part of it, cannot be evaluated."""
    if value == FAILED:
        return True
    if not isinstance(value, list) or len(value) < 2:
        return False
    parts = value[1] if value[0] == "l" else value[1].values() if value[0] == "a" else ()
    return any(map(has_failed, parts))


def replace_source(value: Any, source: str | None) -> Any:
    """A value in which paths into the agent's own source are relative to it: the path of a source is a hash of it."""
    if not source or not isinstance(value, list) or len(value) < 2:
        return value
    tag, content = value[0], value[1]
    if tag == "l":
        return [tag, [replace_source(one, source) for one in content]]
    if tag == "a":
        return [tag, {name: replace_source(one, source) for name, one in content.items()}]
    if tag in ("s", "p") and isinstance(content, str):
        return [tag, content.replace(source, ".")]
    return value
