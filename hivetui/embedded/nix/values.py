"""The values of the Nix language in the stand-in for nix, and what its errors say.

A value is None, bool, int, float, str, Path (a Nix path), list, dict (an attribute set), `Function`, `Builtin` or
`Derivation`. The elements of a list and of a set may be `Thunk`s: expressions that are evaluated when they are first
needed. Strings carry no context.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

Value = Any

LONGEST_TEXT = 4 << 20
"""Characters of one string, and elements of one list: doubling a value thirty times must not fill the memory."""


class Position(NamedTuple):
    """A place in a file; `line` and `column` count from 1."""

    file: str
    source: bytes
    line: int
    column: int

    def render(self) -> str:
        """`at FILE:LINE:COLUMN:` and the lines around it, as nix prints them."""
        lines = self.source.decode("utf-8", "surrogateescape").split("\n")
        rows = [f"at {self.file}:{self.line}:{self.column}:", ""]
        for number in range(self.line - 1, self.line + 2):
            if 1 <= number <= len(lines):
                rows.append(f"{number:>6}| {lines[number - 1]}")
            if number == self.line:
                rows.append("      | " + " " * (self.column - 1) + "^")
        return "\n".join(f"       {row}".rstrip() for row in rows)


class NixError(Exception):
    """An error that nix would end with: a message and, where they are known, a position and the nearest name."""

    def __init__(self, message: str, position: Position | None = None, nearest: str | None = None) -> None:
        super().__init__(message)
        self.message, self.position, self.nearest = message, position, nearest

    def render(self) -> str:
        """The message with its position but without `error:`."""
        text = f"{self.message}\n\n{self.position.render()}" if self.position else self.message
        return f"{text}\n       Did you mean {self.nearest}?" if self.nearest else text


class Thrown(NixError):
    """An error that a module raised on purpose: by `throw`, or by an assertion that does not hold."""


def unsupported(construct: str, position: Position | None = None) -> NixError:
    """The error for what the stand-in does not evaluate."""
    return NixError(
        f"the embedded nix cannot evaluate {construct}; install nix, which can, or write it without that", position
    )


class Attributes(dict[str, Value]):
    """An attribute set as it is written in a file; `find_position` gives the place of its opening brace."""

    __slots__ = ("find_position",)

    def __init__(self, find_position: Callable[[], Position]) -> None:
        super().__init__()
        self.find_position = find_position


class Thunk:
    """An expression that has not been evaluated yet; `find_position` gives its place, if it is in a file."""

    __slots__ = ("_is_running", "_make", "_value", "find_position")

    def __init__(self, make: Callable[[], Value], find_position: Callable[[], Position] | None = None) -> None:
        self._make: Callable[[], Value] | None = make
        self.find_position = find_position
        self._value: Value = None
        self._is_running = False

    def force(self) -> Value:
        """The value; the expression is evaluated once."""
        if self._make is not None:
            if self._is_running:
                raise NixError("infinite recursion encountered")
            self._is_running = True
            try:
                self._value = force(self._make())
            finally:
                self._is_running = False
            self._make = None
        return self._value


class Function(NamedTuple):
    """A function of the language: `call` gives its value for an argument in a call at a position.

    `formals` are the names in its header, and whether each has a default.
    """

    call: Callable[[Value, Position | None], Value]
    formals: dict[str, bool] = {}  # noqa: RUF012  (never changed)


class Builtin(NamedTuple):
    """A function implemented in Python; `given` are the arguments it has so far, of `arity`."""

    implementation: Callable[..., Value]
    arity: int
    given: tuple[Value, ...] = ()


class Derivation(NamedTuple):
    """What is to be built: the builder's arguments and environment (`name` and `builder` are in it)."""

    arguments: tuple[str, ...]
    environment: dict[str, str]

    def digest(self) -> bytes:
        """A hash of everything that goes into the build."""
        return hashlib.sha256(json.dumps(self, sort_keys=True).encode()).digest()


def position_of(value: Value) -> Position | None:
    """Where a value is written, if that is known: an error about it then names the file that has to be changed."""
    find = value.find_position if isinstance(value, Thunk | Attributes) else None
    return find() if find is not None else None


def force(value: Value) -> Value:
    """The evaluated value."""
    return value.force() if isinstance(value, Thunk) else value


def apply(function: Value, argument: Value, position: Position | None = None) -> Value:
    """The value of a function, or of a set with a `__functor`, for an argument."""
    function = force(function)
    if isinstance(function, dict) and "__functor" in function:
        function = force(apply(function["__functor"], function, position))
    if isinstance(function, Builtin):
        given = (*function.given, argument)
        return function.implementation(*given) if len(given) == function.arity else function._replace(given=given)
    if not isinstance(function, Function):
        raise NixError(f"attempt to call something which is not a function but {kind(function)}", position)
    return function.call(argument, position)


_KINDS: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (bool, "a Boolean"),
    (int, "an integer"),
    (float, "a float"),
    (str, "a string"),
    (Path, "a path"),
    (list, "a list"),
    (dict, "a set"),
    (Derivation, "a derivation"),
)


def kind(value: Value) -> str:
    """What nix calls a value in its messages."""
    return next((name for cls, name in _KINDS if isinstance(value, cls)), "a function")


def expect(value: Value, cls: Any, position: Position | None = None) -> Value:
    """The evaluated value, which must be of a type (bool is not an int). Raises NixError as nix words it."""
    found = force(value)
    if not isinstance(found, cls) or (isinstance(found, bool) and cls is not bool):
        name = next(name for known, name in _KINDS if known is cls)
        raise NixError(f"value is {kind(found)} while {name} was expected", position or position_of(value))
    return found


def expect_set(value: Value, position: Position | None = None) -> dict[str, Value]:
    """The attributes of a set."""
    attributes: dict[str, Value] = expect(value, dict, position)
    return attributes


def expect_list(value: Value, position: Position | None = None) -> list[Value]:
    """The elements of a list."""
    elements: list[Value] = expect(value, list, position)
    return elements


def is_number(value: Value) -> bool:
    """Whether a value is an integer or a float."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def limited(value: Value, position: Position | None = None) -> Value:
    """A string or a list, unless it is too long."""
    if len(value) > LONGEST_TEXT:
        raise NixError(f"{kind(value)} is longer than {LONGEST_TEXT} in the embedded nix", position)
    return value


def coerce(value: Value, position: Position | None = None) -> str:
    """The string that a value becomes in an interpolation."""
    found = force(value)
    if isinstance(found, str | Path):
        return str(found)
    if isinstance(found, dict) and "__toString" in found:
        return coerce(apply(found["__toString"], found, position), position)
    if isinstance(found, dict) and "outPath" in found:
        return coerce(found["outPath"], position)
    position = position or position_of(value)
    if isinstance(found, Derivation):
        raise unsupported("a derivation that uses another one", position)
    raise NixError(f"cannot coerce {kind(found)} to a string", position)


def to_string(value: Value) -> str:
    """What `toString` makes of a value (Nix manual, "Built-in Functions")."""
    found = force(value)
    if found is None or isinstance(found, bool):
        return "1" if found else ""
    if isinstance(found, int | float):
        return f"{found:.6f}" if isinstance(found, float) else str(found)
    if isinstance(found, list):
        return join(" ", map(to_string, found))
    return coerce(value)


def join(separator: str, parts: Iterable[str]) -> str:
    """Strings in one, unless it is too long."""
    joined: list[str] = []
    length = 0
    for part in parts:
        length += len(part) + len(separator)
        if length > LONGEST_TEXT:
            raise NixError(f"a string is longer than {LONGEST_TEXT} characters in the embedded nix")
        joined.append(part)
    return separator.join(joined)


def equal(left: Value, right: Value, step: Callable[[], None]) -> bool:
    """Deep equality; functions are never equal. `step` is called for every comparison and may end it by an error."""
    step()
    left, right = force(left), force(right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b, step) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[name], right[name], step) for name in left)
    if is_number(left) and is_number(right):
        return bool(left == right)
    return type(left) is type(right) and not isinstance(left, Function | Builtin) and bool(left == right)


def plain(value: Value) -> Any:
    """A value as JSON has it, with everything in it evaluated."""
    value = force(value)
    if isinstance(value, dict):
        return coerce(value) if "outPath" in value else {name: plain(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, Function | Builtin | Derivation):
        raise NixError(f"cannot convert {kind(value)} to JSON")
    return str(value) if isinstance(value, Path) else value
