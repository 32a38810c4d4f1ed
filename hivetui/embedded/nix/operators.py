"""The operators of the Nix language (Nix manual, "Operators")."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hivetui.embedded.nix.values import (
    NixError,
    Position,
    Value,
    coerce,
    equal,
    expect,
    expect_list,
    expect_set,
    force,
    is_number,
    kind,
    limited,
)


def binary(sign: str, left: Value, right: Value, position: Position, step: Callable[[], None]) -> Value:
    """The value of `left sign right`; `&&`, `||` and `->` evaluate the right side only where it decides."""
    if sign in ("&&", "||", "->"):
        first = bool(expect(left, bool, position))
        if first is (sign == "||"):
            return sign != "&&"
        return bool(expect(right, bool, position))
    if sign in ("==", "!="):
        return equal(left, right, step) is (sign == "==")
    left, right = force(left), force(right)
    if sign in ("<", ">="):
        return (_order(left, right, position, step) < 0) is (sign == "<")
    if sign in (">", "<="):
        return (_order(right, left, position, step) < 0) is (sign == ">")
    return _BINARY[sign](left, right, position)


def unary(sign: str, value: Value, position: Position) -> Value:
    """The value of `!value` or `-value`."""
    if sign == "!":
        return not expect(value, bool, position)
    if not is_number(value):
        raise NixError(f"value is {kind(value)} while an integer was expected", position)
    return -value


def _add(left: Value, right: Value, position: Position) -> Value:
    if is_number(left) and is_number(right):
        return _in_range(left + right, position)
    if isinstance(left, Path):
        return Path(os.path.normpath(str(left) + coerce(right, position)))
    return limited(coerce(left, position) + coerce(right, position), position)


def _in_range(number: Value, position: Position) -> Value:
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        raise NixError("integer overflow", position)
    return number


def _arithmetic(calculate: Callable[[Value, Value], Value]) -> Callable[[Value, Value, Position], Value]:
    def run(left: Value, right: Value, position: Position) -> Value:
        for value in (left, right):
            if not is_number(value):
                raise NixError(f"value is {kind(value)} while an integer was expected", position)
        try:
            return _in_range(calculate(left, right), position)
        except ZeroDivisionError:
            raise NixError("division by zero", position) from None

    return run


def _divide(left: Value, right: Value) -> Value:
    """Integers divide towards zero, as in C++."""
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def _order(left: Value, right: Value, position: Position, step: Callable[[], None]) -> int:
    """Negative if `left` is less, positive if it is greater, else 0. `step` is called for every comparison."""
    step()
    if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return int(left > right) - int(left < right)
    if isinstance(left, list) and isinstance(right, list):
        pairs = zip(map(force, left), map(force, right), strict=False)
        orders = (_order(one, other, position, step) for one, other in pairs)
        return next(filter(None, orders), len(left) - len(right))
    if isinstance(left, Path) and isinstance(right, Path):
        return int(str(left) > str(right)) - int(str(left) < str(right))
    raise NixError(f"cannot compare {kind(left)} with {kind(right)}", position)


def _concatenate(left: Value, right: Value, position: Position) -> Value:
    return limited([*expect_list(left, position), *expect_list(right, position)], position)


_BINARY: dict[str, Callable[[Value, Value, Position], Value]] = {
    "//": lambda left, right, position: {**expect_set(left, position), **expect_set(right, position)},
    "++": _concatenate,
    "+": _add,
    "-": _arithmetic(lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right),
    "/": _arithmetic(_divide),
}
