"""The built-in functions of the stand-in for nix that only compute: on lists, sets, strings and numbers.

Strings are sequences of bytes in the Nix language, so their lengths count bytes. Every element that a function looks at
is a step, as modules are written by agents.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
import posixpath
import sys
from collections.abc import Callable, Iterator
from functools import cmp_to_key, partial
from pathlib import Path

from hivetui.embedded.nix.data_formats import read_json, read_toml
from hivetui.embedded.nix.operators import binary
from hivetui.embedded.nix.values import (
    Builtin,
    Function,
    NixError,
    Position,
    Thrown,
    Thunk,
    Value,
    apply,
    coerce,
    equal,
    expect,
    expect_list,
    expect_set,
    force,
    is_number,
    kind,
    limited,
    plain,
)

Step = Callable[[], None]
Functions = dict[str, tuple[Callable[..., Value], int]]
"""Functions with their number of arguments."""
_TYPES: tuple[tuple[type | tuple[type, ...], str, str], ...] = (
    (bool, "isBool", "bool"),
    (int, "isInt", "int"),
    (float, "isFloat", "float"),
    (str, "isString", "string"),
    (Path, "isPath", "path"),
    (list, "isList", "list"),
    (dict, "isAttrs", "set"),
    ((Function, Builtin), "isFunction", "lambda"),
    (type(None), "isNull", "null"),
)
_HASHES = ("md5", "sha1", "sha256", "sha512")
_NOWHERE = Position("«builtin»", b"", 1, 1)


def pure_functions(step: Step) -> dict[str, Value]:
    """The functions by their names; `step` counts what they do, and may end it by an error."""
    functions: Functions = {
        **_Lists(step).functions(),
        **_on_sets(step),
        **_on_texts(step),
        **_on_numbers(step),
        "deepSeq": (lambda first, second: force_deeply(first, step) or force(second), 2),
        "functionArgs": (_formals, 1),
        "seq": (lambda first, second: (force(first), force(second))[1], 2),
        "trace": (_trace, 2),
        "tryEval": (_try, 1),
        "typeOf": (_type_of, 1),
        **{name: (partial(_is_of, cls), 1) for cls, name, _ in _TYPES},
    }
    return {name: Builtin(function, arity) for name, (function, arity) in functions.items()}


class _Lists:
    """The functions on lists."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def functions(self) -> Functions:
        return {
            "all": (lambda condition, values: all(self._holds(condition, one) for one in self._elements(values)), 2),
            "any": (lambda condition, values: any(self._holds(condition, one) for one in self._elements(values)), 2),
            "concatLists": (self.concat, 1),
            "concatMap": (
                lambda function, values: self.concat([apply(function, one) for one in self._elements(values)]),
                2,
            ),
            "elem": (lambda wanted, values: any(equal(wanted, one, self._step) for one in expect_list(values)), 2),
            "elemAt": (_element, 2),
            "filter": (
                lambda condition, values: [one for one in self._elements(values) if self._holds(condition, one)],
                2,
            ),
            "foldl'": (self.fold, 3),
            "genList": (_generate, 2),
            "groupBy": (self.group, 2),
            "head": (lambda values: _element(values, 0), 1),
            "length": (lambda values: len(expect_list(values)), 1),
            "partition": (self.partition, 2),
            "sort": (self.sort, 2),
            "tail": (_tail, 1),
        }

    def _elements(self, values: Value) -> Iterator[Value]:
        for element in expect_list(values):
            self._step()
            yield element

    @staticmethod
    def _holds(condition: Value, element: Value) -> bool:
        return bool(expect(apply(condition, element), bool))

    def fold(self, function: Value, value: Value, values: Value) -> Value:
        for element in self._elements(values):
            value = force(apply(apply(function, value), element))
        return force(value)

    def concat(self, lists: Value) -> Value:
        return limited([element for one in self._elements(lists) for element in self._elements(one)])

    def sort(self, less: Value, values: Value) -> Value:
        def compare(left: Value, right: Value) -> int:
            self._step()
            if self._holds(apply(less, left), right):
                return -1
            return 1 if self._holds(apply(less, right), left) else 0

        return sorted(expect_list(values), key=cmp_to_key(compare))

    def partition(self, condition: Value, values: Value) -> Value:
        found: dict[str, Value] = {"right": [], "wrong": []}
        for element in self._elements(values):
            found["right" if self._holds(condition, element) else "wrong"].append(element)
        return found

    def group(self, function: Value, values: Value) -> Value:
        found: dict[str, Value] = {}
        for element in self._elements(values):
            found.setdefault(expect(apply(function, element), str), []).append(element)
        return dict(sorted(found.items()))


def _generate(function: Value, length: Value) -> Value:
    count = expect(length, int)
    if count < 0:
        raise NixError(f"cannot create list of size {count}")
    return [_later(function, number) for number in limited(range(count))]


def _element(values: Value, index: Value) -> Value:
    elements, at = expect_list(values), expect(index, int)
    if not 0 <= at < len(elements):
        raise NixError(f"list index {at} is out of bounds")
    return force(elements[at])


def _tail(values: Value) -> Value:
    elements = expect_list(values)
    if not elements:
        raise NixError("'tail' called on an empty list")
    return elements[1:]


def _later(function: Value, *arguments: Value) -> Thunk:
    def call() -> Value:
        value = function
        for argument in arguments:
            value = apply(value, argument)
        return value

    return Thunk(call)


def _on_sets(step: Step) -> Functions:
    def from_list(pairs: Value) -> Value:
        found: dict[str, Value] = {}
        for pair in map(expect_set, expect_list(pairs)):
            step()
            found.setdefault(expect(_get("name", pair), str), Thunk(partial(_get, "value", pair)))
        return found

    def catenate(name: Value, sets: Value) -> Value:
        wanted = expect(name, str)
        return [one[wanted] for one in map(expect_set, expect_list(sets)) if wanted in one]

    def zip_with(function: Value, sets: Value) -> Value:
        found: dict[str, list[Value]] = {}
        for one in map(expect_set, expect_list(sets)):
            for name, value in one.items():
                step()
                found.setdefault(name, []).append(value)
        return {name: _later(function, name, found[name]) for name in sorted(found)}

    return {
        "attrValues": (lambda attributes: [value for _, value in sorted(expect_set(attributes).items())], 1),
        "catAttrs": (catenate, 2),
        "getAttr": (lambda name, attributes: _get(expect(name, str), expect_set(attributes)), 2),
        "hasAttr": (lambda name, attributes: expect(name, str) in expect_set(attributes), 2),
        "intersectAttrs": (
            lambda left, right: {name: value for name, value in expect_set(right).items() if name in expect_set(left)},
            2,
        ),
        "listToAttrs": (from_list, 1),
        "mapAttrs": (
            lambda function, attributes: {
                name: _later(function, name, value) for name, value in expect_set(attributes).items()
            },
            2,
        ),
        "removeAttrs": (_without, 2),
        "zipAttrsWith": (zip_with, 2),
    }


def _get(name: str, attributes: dict[str, Value]) -> Value:
    if name not in attributes:
        raise NixError(f"attribute '{name}' missing")
    return force(attributes[name])


def _without(attributes: Value, names: Value) -> Value:
    unwanted = {expect(name, str) for name in expect_list(names)}
    return {name: value for name, value in expect_set(attributes).items() if name not in unwanted}


def _on_texts(step: Step) -> Functions:
    def replace(old: Value, new: Value, text: Value) -> Value:
        patterns, parts = [_bytes(one) for one in expect_list(old)], expect_list(new)
        if len(patterns) != len(parts):
            raise NixError("'from' and 'to' arguments to 'replaceStrings' have different lengths")
        source, at, result = _bytes(text), 0, bytearray()
        while at <= len(source):
            step()
            found = next((index for index, one in enumerate(patterns) if source.startswith(one, at)), None)
            if found is not None:
                result += _bytes(parts[found])
            if found is None or not patterns[found]:  # an empty pattern is found before every byte, and at the end
                result += source[at : at + 1]
                at += 1
            else:
                at += len(patterns[found])
            limited(result)
        return _text(bytes(result))

    return {
        "baseNameOf": (lambda path: posixpath.basename(coerce(path).removesuffix("/")), 1),
        "dirOf": (_directory, 1),
        "fromJSON": (read_json, 1),
        "fromTOML": (read_toml, 1),
        "hashString": (_hash, 2),
        "replaceStrings": (replace, 3),
        "stringLength": (lambda text: len(_bytes(text)), 1),
        "substring": (_substring, 3),
        "unsafeDiscardStringContext": (coerce, 1),  # no string has a context here
        "toJSON": (lambda value: json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False), 1),
    }


def _bytes(text: Value) -> bytes:
    return coerce(text).encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _directory(path: Value) -> Value:
    value = force(path)
    if isinstance(value, Path):
        return value.parent
    head, slash, _ = coerce(value).rpartition("/")
    return head or slash or "."


def _hash(algorithm: Value, text: Value) -> Value:
    name = expect(algorithm, str)
    if name not in _HASHES:
        raise NixError(f"unknown hash algorithm '{name}'")
    return hashlib.new(name, _bytes(text), usedforsecurity=False).hexdigest()


def _substring(start: Value, length: Value, text: Value) -> Value:
    first, count = expect(start, int), expect(length, int)
    if first < 0:
        raise NixError("negative start position in 'substring'")
    return _text(_bytes(text)[first : first + count if count >= 0 else None])


def _on_numbers(step: Step) -> Functions:
    def calculate(sign: str) -> tuple[Callable[..., Value], int]:
        def run(left: Value, right: Value) -> Value:
            for value in (left, right):
                if sign != "<" and not is_number(force(value)):
                    raise NixError(f"value is {kind(force(value))} while an integer was expected")
            return binary(sign, left, right, _NOWHERE, step)

        return run, 2

    def on_bits(function: Callable[[int, int], int]) -> tuple[Callable[..., Value], int]:
        return lambda left, right: function(expect(left, int), expect(right, int)), 2

    names = {"add": "+", "sub": "-", "mul": "*", "div": "/", "lessThan": "<"}
    return {
        **{name: calculate(sign) for name, sign in names.items()},
        "bitAnd": on_bits(operator.and_),
        "bitOr": on_bits(operator.or_),
        "bitXor": on_bits(operator.xor),
        "ceil": (partial(_round, math.ceil), 1),
        "floor": (partial(_round, math.floor), 1),
    }


def _round(function: Callable[[float], int], number: Value) -> Value:
    value = force(number)
    if not is_number(value) or not math.isfinite(value):
        raise NixError(f"value is {kind(value)} while a float was expected")
    return function(value)


def _type_of(value: Value) -> Value:
    found = force(value)
    return next(name for cls, _, name in _TYPES if isinstance(found, cls))


def _is_of(cls: type | tuple[type, ...], value: Value) -> bool:
    found = force(value)
    return isinstance(found, cls) and not (cls is int and isinstance(found, bool))


def _formals(function: Value) -> Value:
    value = force(function)
    if not isinstance(value, Function | Builtin):
        raise NixError(f"'functionArgs' requires a function, not {kind(value)}")
    return dict(sorted(value.formals.items())) if isinstance(value, Function) else {}


def _trace(message: Value, value: Value) -> Value:
    shown = force(message)
    sys.stderr.write(f"trace: {shown if isinstance(shown, str) else kind(shown)}\n")
    return force(value)


def _try(value: Value) -> Value:
    try:
        return {"success": True, "value": force(value)}
    except Thrown:
        return {"success": False, "value": False}


def force_deeply(value: Value, step: Step) -> bool:
    """Evaluate a value with everything in it, which may have itself in it; always False, so that `or` may follow."""
    waiting, seen = [value], set[int]()
    while waiting:
        step()
        found = force(waiting.pop())
        if isinstance(found, dict | list) and id(found) not in seen:
            seen.add(id(found))
            waiting += reversed([*found.values()] if isinstance(found, dict) else found)
    return False
