"""Reads what an effect tells in the notation of Nix: paths of options, and the parts of their values. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from hivetui.engine.review.findings.nix_scope import Names

_STRING = r'"(?:[^"\\]|\\.)*"'
_NAME = re.compile(rf'({_STRING}|[^."]+)(?:\.|$)', re.DOTALL)
_TOKEN = re.compile(rf'\s*({_STRING}|«[^»]*»|[\[\]{{}}=;()]|[^\s\[\]{{}}=;()"«]+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_DERIVATION = "«derivation "
_CLOSING = ("]", "}", ")", "=", ";")


class Part(NamedTuple):
    """An element of a list, or a value in a set, with its path below the option; else the whole value.

    `text` is as the rules read values: strings in double quotes, as JSON. `known` is false for what has no notation.
    """

    path: Names
    text: str
    known: bool


class _Malformed(ValueError):
    """The text is not in the notation."""


def split_option(option: str) -> Names:
    """The names of an attribute path, such as `environment.etc."a/b".text`; as one name if it is none."""
    names, at = [], 0
    while at < len(option):
        match = _NAME.match(option, at)
        if match is None:
            return (option,)
        names.append(_unquote(match[1]))
        at = match.end()
    return tuple(names)


def parts_of(value: str) -> list[Part]:
    """The parts of a value; one that cannot be read is one part, and not known."""
    try:
        reader = _Reader(value)
        found = list(reader.read(()))
        reader.require_end()
    except (_Malformed, RecursionError):
        return [Part((), value, known=False)]
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def read(self, path: Names) -> Iterator[Part]:
        """The parts of the value that comes next."""
        word = self._next()
        if word == "[":
            while not self._skip("]"):
                yield from self.read(path)
        elif word == "{":
            yield from self._read_set(path)
        elif word == "(":
            yield Part(path, self._next(), known=True)
            self._expect(")")
        elif word in _CLOSING:
            raise _Malformed(word)
        elif word.startswith('"'):
            yield Part(path, json.dumps(_unquote(word), ensure_ascii=False), known=True)
        else:
            yield Part(path, word, not word.startswith("«") or word.startswith(_DERIVATION))

    def _read_set(self, path: Names) -> Iterator[Part]:
        if self._skip("}"):
            yield Part(path, "{ }", known=True)
            return
        while not self._skip("}"):
            name = _unquote(self._next())
            self._expect("=")
            yield from self.read((*path, name))
            self._expect(";")

    def require_end(self) -> None:
        """_Malformed if anything is left."""
        if self._text[self._at :].strip():
            raise _Malformed(self._text[self._at :])

    def _next(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise _Malformed(self._text[self._at :])
        self._at = match.end()
        return match[1]

    def _expect(self, word: str) -> None:
        if self._next() != word:
            raise _Malformed(word)

    def _skip(self, word: str) -> bool:
        """Whether the next word is this one, which is then passed."""
        match = _TOKEN.match(self._text, self._at)
        if match is None or match[1] != word:
            return False
        self._at = match.end()
        return True


def _unquote(name: str) -> str:
    if not name.startswith('"'):
        return name
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), name[1:-1])
