"""The comparison of two systems for the stand-in for nix: what engine/review/effect/compare.nix says, in Python.

The stand-in recognizes that file by its content. Both are tested to give the same result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from hivetui.embedded.nix.store import Store
from hivetui.embedded.nix.values import (
    Builtin,
    Derivation,
    Function,
    NixError,
    Thrown,
    Thunk,
    Value,
    expect_list,
    expect_set,
    force,
)

_MAX_DEPTH = 12
_MAX_TEXT = 65536
_NOT_COMPARED = ("_module", "system")
_FAILED = ["e"]
Path_ = tuple[str, ...]


def compare_source() -> bytes:
    """The text of the file; the module that owns it is not imported here, since it takes longer than the evaluation."""
    return (Path(__file__).parents[2] / "engine/review/effect/compare.nix").read_bytes()


def comparison(store: Store, step: Callable[[], None]) -> Builtin:
    """The function that the file is. `step` is called for every value and may end it by an error."""
    return Builtin(lambda old, new: _Comparison(store, step, expect_set(old), expect_set(new)).result(), 2)


class _Comparison:
    def __init__(self, store: Store, step: Callable[[], None], old: dict[str, Value], new: dict[str, Value]) -> None:
        self._store, self._step = store, step
        self._old, self._new = old, new

    def result(self) -> dict[str, Value]:
        names = sorted({*self._names(self._old), *self._names(self._new)})
        return {
            "namespaces": names,
            "changes": {name: self._delay_changes(name) for name in names},
            "old": self._delay_side(self._old),
            "new": self._delay_side(self._new),
            "check": {
                side: {name: self._delay_check(system, name) for name in names}
                for side, system in (("old", self._old), ("new", self._new))
            },
        }

    @staticmethod
    def _names(system: dict[str, Value]) -> list[str]:
        return [name for name in expect_set(system["config"]) if name not in _NOT_COMPARED]

    # Options

    def _delay_changes(self, name: str) -> Thunk:
        return Thunk(lambda: self._changes(name))

    def _delay_check(self, system: dict[str, Value], name: str) -> Thunk:
        def check() -> bool:
            self._leaves_of(system, name)
            return True

        return Thunk(check)

    def _changes(self, name: str) -> dict[str, Value]:
        old, new = self._leaves_of(self._old, name), self._leaves_of(self._new, name)
        changed = [
            {"path": list(path), "old": old.get(path), "new": new.get(path)}
            for path in sorted({*old, *new}, key=json.dumps)
            if old.get(path) != new.get(path) or new.get(path) == _FAILED
        ]
        return {"changed": changed, "hidden": 0}

    def _leaves_of(self, system: dict[str, Value], name: str) -> dict[Path_, Value]:
        config = expect_set(system["config"])
        return dict(self._leaves(0, (name,), config[name])) if name in config else {}

    def _leaves(self, depth: int, path: Path_, value: Value) -> Iterator[tuple[Path_, Value]]:
        self._step()
        try:
            attributes = force(value)
        except Thrown:
            attributes = None
        if not _is_set(attributes) or not attributes or depth >= _MAX_DEPTH:
            yield path, self._encode(depth, value)
            return
        for name in sorted(attributes):
            yield from self._leaves(depth + 1, (*path, name), attributes[name])

    def _encode(self, depth: int, value: Value) -> Value:
        self._step()
        try:
            return self._encode_forced(depth, force(value))
        except Thrown:
            return _FAILED

    def _encode_forced(self, depth: int, value: Value) -> Value:
        if value is None:
            return ["n"]
        if isinstance(value, bool):
            return ["b", value]
        if isinstance(value, int | float):
            return ["i", value]
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, Path):
            return ["p", str(value)]
        if isinstance(value, Function | Builtin) or depth > _MAX_DEPTH:
            return ["f"]
        if isinstance(value, list):
            return ["l", [self._encode(depth + 1, element) for element in value]]
        if isinstance(value, Derivation):
            return ["d", value.environment["name"]]
        if not _is_set(value):
            return ["f"]
        return ["a", {name: self._encode(depth + 1, value[name]) for name in sorted(value)}]

    # Sides

    def _delay_side(self, system: dict[str, Value]) -> Thunk:
        return Thunk(lambda: self._side(expect_set(system["config"])))

    def _side(self, config: dict[str, Value]) -> dict[str, Value]:
        def build() -> Value:
            derivation = force(expect_set(expect_set(config["system"])["build"])["toplevel"])
            if not isinstance(derivation, Derivation):
                raise NixError("the system is not a derivation")
            return self._store.add_derivation(derivation)

        built = Thunk(build)
        services = expect_set(_get(config, "systemd", "services"))
        etc = expect_set(_get(config, "environment", "etc"))
        packages = _get(config, "environment", "systemPackages")
        return {
            "derivation": Thunk(lambda: f"{force(built)}.drv"),
            "system": Thunk(lambda: str(force(built))),
            "packages": Thunk(lambda: [self._encode(0, one) for one in expect_list(packages or [])]),
            "units": Thunk(lambda: {f"{name}.service": self._encode(0, services[name]) for name in sorted(services)}),
            "etc": Thunk(lambda: {name: self._file(etc[name]) for name in sorted(etc)}),
        }

    def _file(self, file: Value) -> Value:
        attributes = expect_set(file)
        return self._encode(0, {name: attributes.get(name) for name in ("source", "text")})


def _is_set(value: Value) -> bool:
    return isinstance(value, dict) and not {"_type", "__functor"} & set(value)


def _text(text: str) -> Value:
    data = text.encode(errors="surrogateescape")
    return ["h", len(data), hashlib.sha256(data).hexdigest()] if len(data) > _MAX_TEXT else ["s", text]


def _get(value: Value, *names: str) -> Value:
    """An attribute below attributes that may be missing; an empty set for one that is."""
    for name in names:
        value = expect_set(value).get(name, {})
    return force(value)
