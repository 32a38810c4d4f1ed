"""The flake.lock of meta, which pins every agent to one commit of its applied repo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hivetui.engine.git import objects
from hivetui.engine.git.commands import is_hash
from hivetui.engine.host import files, scratch
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.meta.flake import BASE, INPUT_PREFIX
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.nix import argv, evaluation, lock_file
from hivetui.engine.nix.source_owner import META, label_of

FLAKE_FILE, LOCK_FILE = "flake.nix", "flake.lock"


def read(git_dir: Path, commit: str) -> dict[str, Any]:
    """The lock file of a commit of meta; OperationFailed when it cannot be read."""
    text = objects.file_at(git_dir, commit, LOCK_FILE)
    try:
        lock: dict[str, Any] = json.loads(text)
        lock["nodes"][lock["root"]]
    except (ValueError, LookupError, TypeError) as error:
        fix = f"Look at it with: git -C {git_dir.parent} log -p -- {LOCK_FILE}"
        raise OperationFailed(f"The lock file of meta at {commit} cannot be read", str(error), fix) from error
    return lock


def pinned_commits(lock: dict[str, Any]) -> dict[str, str]:
    """The commit of every agent in a lock file, by name."""
    inputs = lock["nodes"][lock["root"]].get("inputs", {})
    names = sorted(key.removeprefix(INPUT_PREFIX) for key in inputs if key.startswith(INPUT_PREFIX))
    return {name: node["locked"]["rev"] for name in names if (node := direct_input(lock, INPUT_PREFIX + name))}


def direct_input(lock: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The node of a direct input, None when there is no such input."""
    key = lock["nodes"][lock["root"]].get("inputs", {}).get(name)
    return lock["nodes"][key] if isinstance(key, str) else None


async def update(host: Host, flake: bytes, old: bytes, commits: Mapping[str, str]) -> bytes:
    """The lock file of `flake`: as in `old` (empty for none), with these agents at these commits.

    Nix records an overridden input with `original` naming the override, and would drop it with the next lock. Nix keeps
    a node only while `original` is what flake.nix says, so that is written here, the same for every version of nix.
    """
    with scratch.scratch_directory(host.paths) as folder:
        folder.chmod(0o755)  # nix reads it as another user
        files.replace(folder / FLAKE_FILE, flake)
        if old:
            files.replace(folder / LOCK_FILE, lock_file.remove_inputs(old, [INPUT_PREFIX + name for name in commits]))
        options = ("--no-write-lock-file", *_overrides(host, commits))
        labels = partial(_labels, host, flake, commits)
        metadata = await evaluation.metadata(host, f"path:{folder}", *options, labels=labels)
    lock = metadata["locks"]
    for name, commit in commits.items():
        _set_original(lock, host.paths, name, commit)
    return _format(lock)


def _labels(host: Host, flake: bytes, commits: Mapping[str, str]) -> dict[bytes, str]:
    """What an error calls the owners of the flakes that are read: meta, and the agents at these commits."""
    names: dict[bytes, list[str]] = {}
    for name, commit in sorted(commits.items()):
        for text in evaluation.flakes_at(host.paths.applied_git(name), commit):
            names.setdefault(text, []).append(name)
    return {**{text: label_of(*among) for text, among in names.items()}, flake: META}


async def update_base(host: Host, flake: bytes, old: bytes, url: str | None) -> bytes:
    """The lock file of `flake`: as in `old`, with the base flake as it is now, or as the reference `url` names it."""
    with scratch.scratch_directory(host.paths) as folder:
        folder.chmod(0o755)  # nix reads it as another user
        files.replace(folder / FLAKE_FILE, flake)
        files.replace(folder / LOCK_FILE, lock_file.remove_inputs(old, [BASE]))
        source, labels = f"path:{folder}", partial(_labels, host, flake, {})
        lock = (await evaluation.metadata(host, source, "--no-write-lock-file", labels=labels))["locks"]
        if url is not None:
            options = ("--no-write-lock-file", "--override-input", BASE, url)
            chosen = (await evaluation.metadata(host, source, *options, labels=labels))["locks"]
            _required_base(chosen)["original"] = _required_base(lock)["original"]  # as in `update`
            lock = chosen
    return _format(lock)


def _required_base(lock: dict[str, Any]) -> dict[str, Any]:
    node = direct_input(lock, BASE)
    if node is None:
        raise OperationFailed("nix did not lock the base flake", json.dumps(lock)[:300])
    return node


def _format(lock: dict[str, Any]) -> bytes:
    return (json.dumps(lock, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _overrides(host: Host, commits: Mapping[str, str]) -> list[str]:
    pairs = [
        (INPUT_PREFIX + name, argv.candidate_url(host.paths, name, commit)) for name, commit in sorted(commits.items())
    ]
    return [word for name, url in pairs for word in ("--override-input", name, url)]


def _set_original(lock: dict[str, Any], paths: Paths, name: str, commit: str) -> None:
    """Set `original` of an agent's node to its input in flake.nix; OperationFailed unless it is locked at `commit`."""
    node = direct_input(lock, INPUT_PREFIX + name)
    if node is None or not is_hash(commit) or node.get("locked", {}).get("rev") != commit:
        raise OperationFailed(f"nix did not lock {name} at {commit}", json.dumps(node)[:300])
    url, _, _ = argv.input_url(paths, name).removeprefix("git+").partition("?")
    node["original"] = {"ref": "main", "type": "git", "url": url}
