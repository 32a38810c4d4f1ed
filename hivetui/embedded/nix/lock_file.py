"""flake.lock of version 7 for the stand-in for nix (Nix manual, "nix flake", Lock files)."""

from __future__ import annotations

import json
from typing import Any

from hivetui.embedded.nix.flakes import Flakes, Input, Source
from hivetui.embedded.nix.references import Reference
from hivetui.embedded.nix.values import NixError

Lock = dict[str, Any]
_MOST_NODES = 1000
_EMPTY: Lock = {"nodes": {"root": {}}, "root": "root"}


class Locker:
    """Computes the lock of a flake: nodes that still fit are kept, and others are locked again.

    `overrides` replace direct inputs by their names; without `may_change`, a lock that would change is an error.
    """

    def __init__(self, flakes: Flakes, overrides: dict[str, Reference], may_change: bool) -> None:
        self._flakes, self._overrides = flakes, overrides
        self._may_change = may_change or bool(overrides)
        self._nodes: dict[str, Any] = {}

    def lock(self, source: Source, update: set[str] | None = None) -> Lock:
        """The lock of a flake; the direct inputs in `update` are locked again."""
        old = read_lock(source)
        self._nodes = {}
        self._lock_inputs("root", source, old, update or set())
        if not self._may_change and self._nodes != old["nodes"]:
            raise NixError(
                f"flake '{source.name}' requires lock file changes but they're not allowed due to "
                "'--no-update-lock-file'"
            )
        return {"nodes": dict(sorted(self._nodes.items())), "root": "root", "version": 7}

    def _lock_inputs(self, key: str, source: Source, old: Lock, update: set[str]) -> None:
        node = self._nodes.setdefault(key, {})
        old_inputs = old["nodes"][old["root"]].get("inputs", {})
        keys: dict[str, str] = {}
        for name, declared in self._flakes.inputs(source).items():
            if key == "root" and name in self._overrides:
                declared = declared._replace(reference=self._overrides[name])
            old_key = old_inputs.get(name)
            old_node = old["nodes"].get(old_key, {}) if isinstance(old_key, str) else {}
            keys[name] = self._unused_key(name)
            if old_node.get("original") == declared.reference.attributes() and name not in update:
                self._keep(keys[name], old_node, old)
            else:
                self._add(keys[name], declared)
        if keys:
            node["inputs"] = keys

    def _keep(self, key: str, old_node: dict[str, Any], old: Lock) -> None:
        """Copy a node of the old lock and those of its inputs."""
        self._nodes[key] = {part: value for part, value in old_node.items() if part != "inputs"}
        keys: dict[str, str] = {}
        for name, child in old_node.get("inputs", {}).items():
            if not isinstance(child, str):
                raise NixError("the embedded nix does not support 'follows'")
            keys[name] = self._unused_key(name)
            self._keep(keys[name], old["nodes"][child], old)
        if keys:
            self._nodes[key]["inputs"] = keys

    def _add(self, key: str, declared: Input) -> None:
        """Lock an input at what its reference names now, and its inputs as its own lock has them."""
        if not self._may_change:
            raise NixError(
                f"the lock file lacks the input '{key}', and changes are not allowed due to '--no-update-lock-file'"
            )
        source = self._flakes.fetch(declared.reference)
        self._nodes[key] = {} if declared.is_flake else {"flake": False}
        self._nodes[key] |= {"locked": source.locked, "original": declared.reference.attributes()}
        if declared.is_flake:
            self._lock_inputs(key, source, read_lock(source), set())

    def _unused_key(self, name: str) -> str:
        if len(self._nodes) > _MOST_NODES:  # nodes of a lock that name each other may stand for any number of inputs
            raise NixError(f"the lock would have more than {_MOST_NODES} nodes")
        candidates = (name, *(f"{name}_{number}" for number in range(2, len(self._nodes) + 3)))
        return next(key for key in candidates if key not in self._nodes)


def read_lock(source: Source) -> Lock:
    """The lock file that comes with a flake; an empty one where it has none. Raises NixError for a malformed one."""
    file = source.path / "flake.lock"
    if file.is_symlink():
        raise NixError(f"the lock file of '{source.name}' is a symbolic link")
    if not file.exists():
        return _EMPTY
    try:
        lock = json.loads(file.read_bytes())
        _check(lock)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as failure:
        raise NixError(f"the lock file of '{source.name}' cannot be read: {failure!r}") from failure
    return dict(lock)


def _check(lock: Any) -> None:
    """Raise ValueError, or what a wrong type raises, unless the lock has the shape that is relied on here."""
    nodes, root = lock["nodes"], lock["root"]
    if len(nodes) > _MOST_NODES:
        raise ValueError(f"it has more than {_MOST_NODES} nodes")
    for key, node in nodes.items():
        if key != root:
            _check_locked(node)
        for child in node.get("inputs", {}).values():
            if isinstance(child, str) and child not in nodes:
                raise ValueError(f"it has no node {child!r}")
    nodes[root]


def _check_locked(node: Any) -> None:
    locked, original = node["locked"], node["original"]
    if not isinstance(locked, dict) or not isinstance(original, dict) or not isinstance(locked["narHash"], str):
        raise ValueError("a node is not locked")
    if locked.get("type") == "git" and not isinstance(locked["url"], str):
        raise ValueError("a node of type git has no URL")
