"""Flakes for the stand-in for nix: fetching them, and evaluating their outputs.

Of an input it supports `url` and `flake = false`, but no network, registry, `follows` or `dir`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from hivetui.embedded.nix import base
from hivetui.embedded.nix.builtins import Loader
from hivetui.embedded.nix.compare import compare_source, comparison
from hivetui.embedded.nix.references import Reference, parse_reference
from hivetui.embedded.nix.store import Store, git, nar_hash
from hivetui.embedded.nix.values import NixError, Thunk, Value, apply, expect, expect_set, position_of


class Source(NamedTuple):
    """A fetched flake: its tree in the store, and its `locked` attributes in a lock."""

    path: Path
    locked: dict[str, Any]

    @property
    def name(self) -> str:
        """Its URL or path, for messages."""
        return str(self.locked.get("url") or self.locked["path"])


class Input(NamedTuple):
    """An input as flake.nix declares it."""

    reference: Reference
    is_flake: bool


class Flakes:
    """Fetches flakes and reads them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.loader = Loader()
        self.loader.recognized[compare_source()] = comparison(store, self.loader.limits.step)
        self.warnings: list[str] = []

    def fetch(self, reference: Reference) -> Source:
        """Copy the tree that a reference names now into the store."""
        repo = reference.directory
        if reference.is_path:
            return self._source(self.store.add_directory(repo), {"lastModified": 1, "path": str(repo), "type": "path"})
        if not (repo / ".git").exists() and not (repo / "HEAD").exists():
            raise NixError(f"'{repo}' is not a git repository")
        if not reference.rev and not reference.ref and _is_dirty(repo):
            self.warnings.append(f"Git tree '{repo}' is dirty")
            return self._source(self.store.add_work_tree(repo), {"type": "git", "url": reference.url})
        ref = reference.ref or (None if reference.rev else _current_branch(repo))
        revision = reference.rev or f"refs/heads/{ref}"
        commit = git(repo, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
        locked = {"type": "git", "url": reference.url, "rev": commit, "lastModified": _commit_time(repo, commit)}
        locked |= {"ref": ref} if ref else {}
        locked["revCount"] = int(git(repo, "rev-list", "--count", commit))
        return self._source(self.store.add_commit(repo, commit), locked)

    def _source(self, path: Path, locked: dict[str, Any]) -> Source:
        self.loader.roots.append(path)
        return Source(path, dict(sorted((locked | {"narHash": nar_hash(path)}).items())))

    def declaration(self, source: Source) -> dict[str, Value]:
        """The attributes of flake.nix."""
        file = source.path / "flake.nix"
        if not file.exists():
            raise NixError(f"source tree '{source.path}' does not contain a '/flake.nix' file")
        return expect_set(self.loader.load(file), self.loader.start_of(file))

    def inputs(self, source: Source) -> dict[str, Input]:
        """The inputs that flake.nix declares."""
        declared = expect_set(self.declaration(source).get("inputs", {}))
        return {name: self._input(name, value) for name, value in sorted(declared.items())}

    @staticmethod
    def _input(name: str, value: Value) -> Input:
        attributes = expect_set(value)
        if unsupported := set(attributes) - {"url", "flake"}:
            what = f"the embedded nix does not support '{min(unsupported)}' of the input '{name}'"
            raise NixError(what, position_of(value))
        try:
            reference = parse_reference(expect(attributes.get("url"), str))
        except NixError as failure:
            failure.position = failure.position or position_of(attributes.get("url")) or position_of(value)
            raise
        return Input(reference, bool(expect(attributes.get("flake", True), bool)))

    def evaluate(self, source: Source, nodes: dict[str, Any], key: str = "root") -> dict[str, Value]:
        """A flake as the others see it: its outputs, its inputs and its source. `nodes` are those of its lock."""
        inputs = {name: self._delay_input(nodes, child) for name, child in nodes[key].get("inputs", {}).items()}
        source_info: dict[str, Any] = {
            name: source.locked[name] for name in ("narHash", "rev", "lastModified") if name in source.locked
        }
        source_info["outPath"] = str(source.path)
        flake: dict[str, Value] = {}
        outputs = self._outputs(source, {**inputs, "self": Thunk(lambda: flake)})
        flake |= {**outputs, **source_info, "inputs": inputs, "outputs": outputs, "sourceInfo": source_info}
        flake["_type"] = "flake"
        return flake

    def _outputs(self, source: Source, inputs: dict[str, Value]) -> dict[str, Value]:
        if base.is_base_flake(source.path):
            return base.BaseFlake(source.path, self.loader).outputs()
        declaration = self.declaration(source)
        if "outputs" not in declaration:
            start = self.loader.start_of(source.path / "flake.nix")
            raise NixError(f"flake '{source.name}' lacks attribute 'outputs'", start)
        position = position_of(declaration["outputs"])
        return expect_set(apply(declaration["outputs"], inputs, position), position)

    def _delay_input(self, nodes: dict[str, Any], key: str) -> Thunk:
        return Thunk(lambda: self._locked_input(nodes, key))

    def _locked_input(self, nodes: dict[str, Any], key: str) -> Value:
        """The value of an input at the commit that the lock has."""
        node = nodes[key]
        locked = node["locked"]
        if locked.get("type") != "git":
            raise NixError(f"the embedded nix does not support an input of type '{locked.get('type')}'")
        reference = Reference(Path(unquote(urlsplit(locked["url"]).path)), locked.get("rev"), locked.get("ref"))
        source = self.fetch(reference)
        if source.locked["narHash"] != locked["narHash"]:
            raise NixError(
                f"NAR hash mismatch in input '{reference.render()}', expected '{locked['narHash']}', "
                f"got '{source.locked['narHash']}'"
            )
        return {"outPath": str(source.path)} if node.get("flake") is False else self.evaluate(source, nodes, key)


def _is_dirty(repo: Path) -> bool:
    if git(repo, "rev-parse", "--is-bare-repository").strip() == b"true":
        return False
    return bool(git(repo, "status", "--porcelain", "--untracked-files=no", "-z"))


def _current_branch(repo: Path) -> str:
    return git(repo, "symbolic-ref", "--short", "HEAD").decode().strip()


def _commit_time(repo: Path, commit: str) -> int:
    return int(git(repo, "log", "-1", "--no-show-signature", "--format=%ct", commit))
