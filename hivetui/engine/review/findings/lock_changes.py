"""What changes in flake.lock: every node of it, not only the inputs of the root. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hivetui.engine.model.errors import BadData
from hivetui.engine.nix.lock_file import parse_json_object
from hivetui.engine.review.findings.subject import Subject
from hivetui.engine.review.findings.tree import Blob

LOCK = "flake.lock"
Nodes = Mapping[str, Mapping[str, Any]]


class UnreadableLock(Exception):
    """The file is no lock file that can be read; the message says why."""


def compare_locks(old: Blob | None, new: Blob | None) -> Iterator[Subject]:
    """A subject for each node that differs; UnreadableLock."""
    before, after = _nodes(old), _nodes(new)
    for name, node in after.items():
        if not before and "locked" not in node:
            continue  # the root of a new file, whose nodes are all told
        if name not in before:
            yield _subject(new, name, f"new {name} {_describe(node)}", node)
        elif before[name] != node:
            yield from (_subject(new, name, text, node) for text in _differences(name, before[name], node))
    for name, node in before.items():
        if name not in after:
            yield _subject(old, name, f"removed {name}", node, is_old=True)


def _nodes(blob: Blob | None) -> Nodes:
    if blob is None or blob.content is None:
        return {}
    try:
        content = parse_json_object(blob.content, blob.path, BadData)
    except BadData as error:
        raise UnreadableLock(error.reason or error.what) from error
    nodes = content.get("nodes")
    if not isinstance(nodes, dict) or not all(isinstance(node, dict) for node in nodes.values()):
        raise UnreadableLock("it has no nodes")
    root = str(content.get("root"))
    return {name: node for name, node in nodes.items() if name != root or node.get("inputs")}


def _differences(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    locked, before = _part(new, "locked"), _part(old, "locked")
    if locked != before:
        differing = {key for key in {*locked, *before} if locked.get(key) != before.get(key)}
        if differing == {"narHash"}:
            hashes = f"{before.get('narHash')} -> {locked.get('narHash')}"
            yield f"hash {name} {hashes} at revision {locked.get('rev')}"
        else:
            yield f"moved {name} {_describe(old)} -> {_describe(new)}"
    inputs, inputs_before = _part(new, "inputs"), _part(old, "inputs")
    for key in sorted({*inputs, *inputs_before}):
        if inputs.get(key) != inputs_before.get(key):
            yield f"rewired {name}.{key} {_follow(inputs_before.get(key))} -> {_follow(inputs.get(key))}"
    rest, rest_before = (
        {key: value for key, value in node.items() if key not in ("locked", "inputs")} for node in (new, old)
    )
    if rest != rest_before:
        yield f"moved {name} requested {_describe_original(old)} -> {_describe_original(new)}"


def _part(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = node.get(key)
    return value if isinstance(value, dict) else {}


def _follow(target: object) -> str:
    return "/".join(map(str, target)) if isinstance(target, list) else str(target or "nothing")


def _describe(node: Mapping[str, Any]) -> str:
    locked = _part(node, "locked")
    place = locked.get("url") or "/".join(str(locked[key]) for key in ("owner", "repo") if key in locked)
    return (
        " ".join(str(part) for part in (locked.get("type"), place, str(locked.get("rev") or "")[:12]) if part) or "{}"
    )


def _describe_original(node: Mapping[str, Any]) -> str:
    return json.dumps(node.get("original"), sort_keys=True)[:200]


def _subject(blob: Blob | None, name: str, text: str, node: Mapping[str, Any], is_old: bool = False) -> Subject:
    lines = blob.lines if blob is not None else ()
    head = re.compile(rf"\s*{re.escape(json.dumps(name))}\s*:\s*\{{")
    line = next((number for number, line in enumerate(lines, 1) if head.match(line)), 1)
    path = blob.path if blob is not None else LOCK
    evidence = json.dumps(node, sort_keys=True)
    return Subject("lock", text, "old" if is_old else "new", path, line, name, content=evidence)
