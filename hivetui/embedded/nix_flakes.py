"""Flakes for the stand-in of nix: references, lock files of version 7, and outputs.

Knows `git+file:///FOLDER[?rev=…&ref=…]`, `path:/FOLDER`, and a plain folder that is a git repo; of inputs
`url` and `flake = false`. Does not know: any place that needs a network, registries, `follows`, `dir`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from hivetui.embedded.nix_builtins import import_file, scope
from hivetui.embedded.nix_evaluate import Scope, Thunk, Value, apply, attributes, force, wanted
from hivetui.embedded.nix_store import Store, git, nar_hash
from hivetui.embedded.nix_syntax import NixError

Lock = dict[str, Any]


class Reference(NamedTuple):
    """A flake reference: a git repo of this machine and maybe a commit or a branch of it, or (`plain`) a folder."""

    folder: Path
    rev: str | None = None
    ref: str | None = None
    plain: bool = False

    @property
    def url(self) -> str:
        """As it is written in a lock."""
        return "file://" + quote(str(self.folder))

    def attributes(self) -> dict[str, Any]:
        """The part `original` of a node."""
        if self.plain:
            return {"path": str(self.folder), "type": "path"}
        parts = {"ref": self.ref, "rev": self.rev, "type": "git", "url": self.url}
        return {name: value for name, value in parts.items() if value is not None}

    def shown(self) -> str:
        """As a URL."""
        if self.plain:
            return f"path:{self.folder}"
        query = "&".join(f"{name}={value}" for name, value in (("ref", self.ref), ("rev", self.rev)) if value)
        return f"git+{self.url}" + (f"?{query}" if query else "")


class Source(NamedTuple):
    """A fetched flake: its tree in the store, and what a lock says of it."""

    path: Path
    locked: dict[str, Any]


def parse_reference(text: str) -> Reference:
    """A reference of the command line or of flake.nix."""
    if text.startswith(("/", ".")):
        return Reference(Path(text).resolve())
    if text.startswith("path:/"):
        return Reference(Path(text.removeprefix("path:")), plain=True)
    parts = urlsplit(text)
    if parts.scheme != "git+file" or parts.netloc:
        raise NixError(
            f"the embedded nix does not know '{text}': it has git+file:///FOLDER and path:/FOLDER only, and no network"
        )
    query = dict(parse_qsl(parts.query))
    if unknown := set(query) - {"rev", "ref"}:
        raise NixError(f"the embedded nix does not know '{min(unknown)}' in '{text}'")
    if "rev" in query and not re.fullmatch("[0-9a-f]{40}", query["rev"]):
        raise NixError(f"hash '{query['rev']}' has wrong length for hash type 'sha1'")
    return Reference(Path(unquote(parts.path)), query.get("rev"), query.get("ref"))


class Flakes:
    """Fetches, locks and evaluates flakes."""

    def __init__(self, store: Store, overrides: dict[str, str], may_change_locks: bool) -> None:
        self.store, self.may_change_locks = store, may_change_locks
        self.overrides = {name: parse_reference(url) for name, url in overrides.items()}
        self.roots: list[Path] = []
        self.names: Scope = scope(lambda: self.roots)
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
        self.roots.append(path)
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
        return attributes(import_file(file, self.names))

    def inputs(self, source: Source) -> dict[str, dict[str, Value]]:
        """The inputs that flake.nix names."""
        named = attributes(self.description(source).get("inputs", {}))
        return {name: attributes(value) for name, value in sorted(named.items())}

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
            raise NixError(f"the embedded nix does not know '{min(unknown)}' of the input '{name}'")
        return parse_reference(wanted(said.get("url"), str, "a string"))

    def _keep(self, key: str, old_key: str, old: Lock, nodes: dict[str, Any]) -> None:
        """Take the inputs of a node that is kept as its lock has them."""
        chosen: dict[str, str] = {}
        for name, child in old["nodes"][old_key].get("inputs", {}).items():
            if not isinstance(child, str):
                raise NixError("the embedded nix does not know 'follows'")
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
        outputs = self.description(source).get("outputs")
        if outputs is None:
            raise NixError(f"flake '{_place(source)}' lacks attribute 'outputs'")
        given = Thunk(lambda: itself)
        made = attributes(apply(outputs, {**inputs, "self": given}))
        itself.update({**made, **about, "inputs": inputs, "outputs": made, "sourceInfo": about, "_type": "flake"})
        return itself

    def _input(self, lock: Lock, key: str) -> Any:
        def make() -> Value:
            node = lock["nodes"][key]
            locked = node["locked"]
            if locked.get("type") != "git":
                raise NixError(f"the embedded nix does not know an input of type '{locked.get('type')}'")
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
