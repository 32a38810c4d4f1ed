"""Effects on disk, one file a proposal, and what has moved since each was made.

An effect belongs to the commit, the base and what meta had locked: the base flake with all of its inputs, and the part
of meta's flake.nix that is about the agent. Other agents come and go without making it outdated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hivetui.engine.git import objects
from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.meta import lock as meta_lock
from hivetui.engine.meta.flake import BASE
from hivetui.engine.meta.lock import FLAKE_FILE
from hivetui.engine.model.base import Model
from hivetui.engine.model.effect import Effect, EffectState, Moved

_KEPT = 1000
_MAIN = "refs/heads/main"
BASE_COMMIT, META_FLAKE = "base", "meta's flake.nix"


class StoredEffect(Model):
    """What is on disk: the effect, the commit and the agent, and the revisions and flake.nix that it was made with."""

    agent: str
    commit: str
    effect: Effect
    inputs: dict[str, str]
    flake: str


class MetaState(Model):
    """What an effect depends on of meta: its commit, the revisions of the base flake and its inputs, and flake.nix."""

    commit: str
    inputs: dict[str, str]
    flake: str


def read_meta(host: Host, agent: str) -> MetaState | None:
    """The state of meta now; None before its first commit."""
    head = objects.ref(host.paths.meta / ".git", _MAIN)
    return read_meta_at(host, agent, head) if head is not None else None


def read_meta_at(host: Host, agent: str, head: str) -> MetaState:
    """The state of meta at a commit, with which something was evaluated: it may have moved since."""
    git_dir = host.paths.meta / ".git"
    flake = objects.file_at(git_dir, head, FLAKE_FILE).decode("utf-8", "surrogateescape")
    return MetaState(
        commit=head,
        inputs=base_inputs(meta_lock.read(git_dir, head)),
        flake=hashlib.sha256(about(flake, agent).encode("utf-8", "surrogateescape")).hexdigest(),
    )


def base_inputs(lock: dict[str, Any]) -> dict[str, str]:
    """The revision (or content hash) of the base flake and of each of its inputs, by the path of names to it."""
    nodes = lock["nodes"]
    found: dict[str, str] = {}
    pending = [(BASE, nodes[lock["root"]].get("inputs", {}).get(BASE))]
    visited: set[str] = set()
    while pending:
        path, key = pending.pop()
        if not isinstance(key, str) or key in visited or key not in nodes:
            continue
        visited.add(key)
        locked = nodes[key].get("locked", {})
        found[path] = str(locked.get("rev") or locked.get("narHash"))
        pending += [(f"{path}/{name}", child) for name, child in sorted(nodes[key].get("inputs", {}).items())]
    return found


def other_agents(lock: dict[str, Any], agent: str, prefix: str) -> tuple[str, ...]:
    """The agents whose inputs in meta's lock lead to the input of `agent`, so that they would change with it."""
    nodes = lock["nodes"]
    inputs = nodes[lock["root"]].get("inputs", {})
    own, key = prefix + agent, inputs.get(prefix + agent)
    others = (name for name in inputs if name.startswith(prefix) and name != own)
    return tuple(sorted(name.removeprefix(prefix) for name in others if _leads_to(nodes, inputs[name], own, key)))


def _leads_to(nodes: dict[str, Any], start: Any, own: str, key: Any) -> bool:
    """Whether an input is the agent's node, or has inputs that are it or follow it."""
    pending, visited = [start], set()
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            if node[:1] == [own]:
                return True
        elif node == key:
            return True
        elif node in nodes and node not in visited:
            visited.add(node)
            pending += nodes[node].get("inputs", {}).values()
    return False


def about(flake: str, agent: str) -> str:
    """meta's flake.nix without what is about other agents."""
    name = re.escape(agent)
    flake = re.sub(rf'^    "agent-(?!{name}")[^"]*"\.url = .*\n', "", flake, flags=re.MULTILINE)
    return re.sub(
        rf'^        "(?!{name}")[^"]*" = agent [^\n]*\n(?:          .*\n)*        \}};\n', "", flake, flags=re.MULTILINE
    )


def save(paths: Paths, number: int, stored: StoredEffect) -> None:
    """Store the effect of a proposal durably; those of the oldest proposals are removed."""
    files.make_directory(paths.effects)
    files.replace(_path(paths, number), stored.model_dump_json().encode(), 0o600)
    for old in sorted(_numbers(paths))[:-_KEPT]:
        files.remove(_path(paths, old))


def load(paths: Paths, number: int) -> StoredEffect | None:
    """The stored effect of a proposal; None without one, or with one of another version."""
    try:
        return StoredEffect.model_validate_json(_path(paths, number).read_bytes())
    except (OSError, ValidationError):
        return None


def remove_agent(paths: Paths, agent: str) -> None:
    """Remove the effects of an agent's proposals."""
    for number in _numbers(paths):
        stored = load(paths, number)
        if stored is None or stored.agent == agent:
            files.remove(_path(paths, number))


def moved_since(stored: StoredEffect, base: str | None, now: MetaState | None) -> tuple[Moved, ...]:
    """What is another now than when the effect was made."""
    moved = []
    if base != stored.effect.base:
        moved.append(Moved(input=BASE_COMMIT, old=stored.effect.base, new=base))
    inputs = now.inputs if now is not None else {}
    for name in sorted({*inputs, *stored.inputs}):
        if inputs.get(name) != stored.inputs.get(name):
            moved.append(Moved(input=name, old=stored.inputs.get(name), new=inputs.get(name)))
    if now is None or now.flake != stored.flake:
        moved.append(Moved(input=META_FLAKE, old=stored.flake[:12], new=now.flake[:12] if now is not None else None))
    return tuple(moved)


def current(host: Host, number: int, commit: str | None, base: str | None, is_pending: bool) -> Effect:
    """The effect of a proposal as it is now: outdated if something has moved; of a decided one, as it was."""
    stored = load(host.paths, number)
    if stored is None or stored.commit != commit:
        return Effect()
    if not is_pending:
        return stored.effect
    moved = moved_since(stored, base, read_meta(host, stored.agent))
    return stored.effect.model_copy(update={"state": EffectState.OUTDATED, "moved": moved}) if moved else stored.effect


def _path(paths: Paths, number: int) -> Path:
    return paths.effects / f"{number}.json"


def _numbers(paths: Paths) -> Iterator[int]:
    found = (path.stem for path in paths.effects.glob("*.json"))
    return (int(stem) for stem in found if stem.isascii() and stem.isdigit())
