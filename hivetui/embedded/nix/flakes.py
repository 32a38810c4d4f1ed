"""Flakes for the stand-in of nix: references, lock files of version 7, and outputs.

Knows `git+file:///FOLDER[?rev=…&ref=…]`, `path:/FOLDER`, and a plain folder that is a git repo; of inputs
`url` and `flake = false`. Does not know: any place that needs a network, registries, `follows`, `dir`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from hivetui.embedded.nix import base
from hivetui.embedded.nix.builtins import Loader
from hivetui.embedded.nix.evaluate import apply
from hivetui.embedded.nix.references import Reference, parse_reference
from hivetui.embedded.nix.store import Store, git, nar_hash
from hivetui.embedded.nix.values import NixError, Thunk, Value, expect, expect_set, force

Lock = dict[str, Any]


class Source(NamedTuple):
    """A fetched flake: its tree in the store, and what a lock says of it."""

    path: Path
    locked: dict[str, Any]


class Flakes:
    """Fetches, locks and evaluates flakes."""

    def __init__(self, store: Store, overrides: dict[str, str], may_change_locks: bool) -> None:
        self.store, self.may_change_locks = store, may_change_locks
        self.overrides = {name: parse_reference(url) for name, url in overrides.items()}
        self.loader = Loader()
        self.warnings: list[str] = []

    def fetch(self, reference: Reference) -> Source:
        """The tree that a reference names now."""
        repo = reference.folder
        if reference.plain:
            return self._source(self.store.add_folder(repo), {"lastModified": 1, "path": str(repo), "type": "path"})
        if not (repo / ".git").exists() and not (repo / "HEAD").exists():
            raise NixError(f"'{repo}' is not a git repository")
        if not reference.rev and not reference.ref and self._is_dirty(repo):
            self.warnings.append(f"Git tree '{repo}' is dirty")
            return self._source(self.store.add_work_tree(repo), {"type": "git", "url": reference.url})
        ref = reference.ref or (None if reference.rev else _branch(repo))
        asked = reference.rev or f"refs/heads/{ref}"
        commit = git(repo, "rev-parse", "--verify", "--end-of-options", f"{asked}^{{commit}}").decode().strip()
        locked = {"type": "git", "url": reference.url, "rev": commit, "lastModified": _committed(repo, commit)}
        locked |= {"ref": ref} if ref else {}
        locked["revCount"] = int(git(repo, "rev-list", "--count", commit))
        return self._source(self.store.add_commit(repo, commit), locked)

    def _source(self, path: Path, locked: dict[str, Any]) -> Source:
        self.loader.roots.append(path)
        return Source(path, dict(sorted((locked | {"narHash": nar_hash(path)}).items())))

    @staticmethod
    def _is_dirty(repo: Path) -> bool:
        if git(repo, "rev-parse", "--is-bare-repository").strip() == b"true":
            return False
        return bool(git(repo, "status", "--porcelain", "--untracked-files=no", "-z"))

    def description(self, source: Source) -> dict[str, Value]:
        """What flake.nix says."""
        file = source.path / "flake.nix"
        if not file.exists():
            raise NixError(f"source tree '{source.path}' does not contain a '/flake.nix' file")
        return expect_set(self.loader.load(file))

    def inputs(self, source: Source) -> dict[str, dict[str, Value]]:
        """The inputs that flake.nix names."""
        named = expect_set(self.description(source).get("inputs", {}))
        return {name: expect_set(value) for name, value in sorted(named.items())}

    def lock(self, source: Source, update: set[str] | None = None) -> Lock:
        """The lock of a flake: kept where it fits, made where it does not. `update` are inputs to make afresh."""
        file = source.path / "flake.lock"
        old: Lock = json.loads(file.read_text()) if file.exists() else {"nodes": {"root": {}}, "root": "root"}
        nodes: dict[str, Any] = {}
        self._lock_inputs("root", source, old, str(old["root"]), nodes, update or set())
        lock = {"nodes": dict(sorted(nodes.items())), "root": "root", "version": 7}
        if not self.may_change_locks and not self.overrides and lock["nodes"] != old["nodes"]:
            raise NixError(
                f"flake '{_place(source)}' requires lock file changes but they're not allowed due to "
                "'--no-update-lock-file'"
            )
        return lock

    def _lock_inputs(
        self, key: str, source: Source, old: Lock, old_key: str, nodes: dict[str, Any], update: set[str]
    ) -> None:
        node = nodes.setdefault(key, {})
        chosen: dict[str, str] = {}
        for name, said in self.inputs(source).items():
            reference = self._asked(name, said, top=key == "root")
            old_child = old["nodes"].get(old_key, {}).get("inputs", {}).get(name)
            kept = old["nodes"].get(old_child, {}) if isinstance(old_child, str) else {}
            fresh = _fresh_key(name, nodes)
            chosen[name] = fresh
            if kept.get("original") == reference.attributes() and not (key == "root" and name in update):
                nodes[fresh] = {part: value for part, value in kept.items() if part != "inputs"}
                self._keep(fresh, str(old_child), old, nodes)
            else:
                self._add(fresh, said, reference, nodes)
        if chosen:
            node["inputs"] = chosen

    def _asked(self, name: str, said: dict[str, Value], top: bool) -> Reference:
        if top and name in self.overrides:
            return self.overrides[name]
        if unknown := set(said) - {"url", "flake"}:
            raise NixError(f"the embedded nix does not support '{min(unknown)}' of the input '{name}'")
        return parse_reference(expect(said.get("url"), str))

    def _keep(self, key: str, old_key: str, old: Lock, nodes: dict[str, Any]) -> None:
        """Take the inputs of a node that is kept as its lock has them."""
        chosen: dict[str, str] = {}
        for name, child in old["nodes"][old_key].get("inputs", {}).items():
            if not isinstance(child, str):
                raise NixError("the embedded nix does not support 'follows'")
            chosen[name] = _fresh_key(name, nodes)
            nodes[chosen[name]] = {part: value for part, value in old["nodes"][child].items() if part != "inputs"}
            self._keep(chosen[name], child, old, nodes)
        if chosen:
            nodes[key]["inputs"] = chosen

    def _add(self, key: str, said: dict[str, Value], reference: Reference, nodes: dict[str, Any]) -> None:
        if not self.may_change_locks and not self.overrides:
            raise NixError(
                f"the lock file lacks the input '{key}', and changes are not allowed due to '--no-update-lock-file'"
            )
        source = self.fetch(reference)
        is_flake = force(said.get("flake", True))
        nodes[key] = {} if is_flake else {"flake": False}
        nodes[key] |= {"locked": source.locked, "original": reference.attributes()}
        if is_flake:
            file = source.path / "flake.lock"
            old: Lock = json.loads(file.read_text()) if file.exists() else {"nodes": {"root": {}}, "root": "root"}
            self._lock_inputs(key, source, old, str(old["root"]), nodes, set())

    def evaluate(self, source: Source) -> dict[str, Value]:
        """The flake as its outputs' `self`."""
        return self._flake(self.lock(source), "root", source)

    def _flake(self, lock: Lock, key: str, source: Source) -> dict[str, Value]:
        node = lock["nodes"][key]
        inputs = {name: Thunk(self._input(lock, child)) for name, child in node.get("inputs", {}).items()}
        about: dict[str, Any] = {
            name: source.locked[name] for name in ("narHash", "rev", "lastModified") if name in source.locked
        }
        about["outPath"] = str(source.path)
        itself: dict[str, Value] = {}
        made = self._outputs(source, {**inputs, "self": Thunk(lambda: itself)})
        itself.update({**made, **about, "inputs": inputs, "outputs": made, "sourceInfo": about, "_type": "flake"})
        return itself

    def _outputs(self, source: Source, inputs: dict[str, Value]) -> dict[str, Value]:
        described = self.description(source)
        if force(described.get("description")) == base.DESCRIPTION:
            return base.BaseFlake(source.path, self.loader).outputs()
        if "outputs" not in described:
            raise NixError(f"flake '{_place(source)}' lacks attribute 'outputs'")
        return expect_set(apply(described["outputs"], inputs))

    def _input(self, lock: Lock, key: str) -> Any:
        def make() -> Value:
            node = lock["nodes"][key]
            locked = node["locked"]
            if locked.get("type") != "git":
                raise NixError(f"the embedded nix does not support an input of type '{locked.get('type')}'")
            reference = Reference(Path(unquote(urlsplit(locked["url"]).path)), locked.get("rev"), locked.get("ref"))
            source = self.fetch(reference)
            if source.locked["narHash"] != locked["narHash"]:
                raise NixError(
                    f"NAR hash mismatch in input '{reference.shown()}', expected '{locked['narHash']}', "
                    f"got '{source.locked['narHash']}'"
                )
            if node.get("flake") is False:
                return {"outPath": str(source.path)}
            return self._flake(lock, key, source)

        return make


def _place(source: Source) -> str:
    return str(source.locked.get("url") or source.locked["path"])


def _fresh_key(name: str, nodes: dict[str, Any]) -> str:
    if name not in nodes:
        return name
    return next(key for key in (f"{name}_{n}" for n in range(2, len(nodes) + 3)) if key not in nodes)


def _branch(repo: Path) -> str:
    return git(repo, "symbolic-ref", "--short", "HEAD").decode().strip()


def _committed(repo: Path, commit: str) -> int:
    return int(git(repo, "log", "-1", "--no-show-signature", "--format=%ct", commit))
