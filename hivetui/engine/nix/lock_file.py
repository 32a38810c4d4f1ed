"""Lock files of flakes: refusing what is not fixed content, and removing inputs.

The format is version 7 of the Nix manual, `nix flake`, "Lock files"."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from hivetui.engine.git.commands import is_hash
from hivetui.engine.model.errors import BadData, OperationFailed

_VERSION = 7
_TYPES = ("git", "github", "gitlab", "sourcehut", "tarball")
_PLACE = ("type", "url", "owner", "repo", "host", "dir", "submodules")
_URL = re.compile(r"(https|ssh)://[^\s\x00-\x1f]+", re.ASCII)


def check(text: str) -> None:
    """Refuse with BadData a flake.lock that could name anything but fixed content of places elsewhere.

    Nix trusts the `locked` part of a node, so a node is refused when that names another place than `original`, which
    is what a reader of flake.nix sees; so are paths and files of this host, registry names, and content without a hash.
    """
    lock = parse_json_object(text.encode("utf-8", "surrogateescape"), "flake.lock", BadData)
    nodes = lock.get("nodes")
    if lock.get("version") != _VERSION or not isinstance(nodes, dict) or lock.get("root") not in nodes:
        raise _refusal("it is not a lock file of version 7")
    for key, node in nodes.items():
        if key == lock["root"] and isinstance(node, dict) and "locked" not in node:
            continue
        if why := _problem_of_node(node):
            raise _refusal(f"its node {key[:60]!r} {why}")


def _problem_of_node(node: object) -> str | None:
    locked, original = (node.get(part) for part in ("locked", "original")) if isinstance(node, dict) else (None, None)
    if not isinstance(locked, dict) or not isinstance(original, dict):
        return "is not locked"
    if locked.get("type") not in _TYPES:
        return f"is of type {str(locked.get('type'))[:20]!r}, which is not one of {', '.join(_TYPES)}"
    if differing := [key for key in _PLACE if locked.get(key) != original.get(key)]:
        return f"is locked to another place than the one requested ({', '.join(differing)})"
    if "url" in locked and not _URL.fullmatch(str(locked["url"])):
        return "has an address that is not https or ssh"
    return _problem_of_content(locked, original)


def _problem_of_content(locked: dict[str, Any], original: dict[str, Any]) -> str | None:
    if not re.fullmatch(r"sha256-[A-Za-z0-9+/]{43}=", str(locked.get("narHash")), re.ASCII):
        return "has no hash of its content"
    if locked["type"] != "tarball" and not is_hash(str(locked.get("rev"))):
        return "has no commit"
    if "rev" in original and original["rev"] != locked.get("rev"):
        return "is locked to another commit than the one requested"
    return None


def _refusal(why: str) -> BadData:
    return BadData("The proposed flake.lock is refused", why, "Lock its inputs again, and propose that.")


def remove_inputs(lock: bytes, inputs: Collection[str]) -> bytes:
    """A lock file without some direct inputs.

    For an input that is in the lock, even an overridden one, nix keeps that input's own inputs as they were locked.
    Only for a new input does it read the lock file that comes with it.
    """
    content = parse_json_object(lock, "The lock file of meta")
    root = content["nodes"][content["root"]]
    root["inputs"] = {key: node for key, node in root.get("inputs", {}).items() if key not in inputs}
    return json.dumps(content).encode()


def parse_json_object(
    data: bytes, source: str, error: type[BadData | OperationFailed] = OperationFailed
) -> dict[str, Any]:
    """Parse a JSON object; `error` for anything else, and for a repeated key, which parsers treat differently."""
    try:
        value = json.loads(data, object_pairs_hook=_reject_duplicate_keys)
    except (ValueError, RecursionError) as wrong:
        raise error(f"{source} is not valid JSON", str(wrong)[:200]) from wrong
    if not isinstance(value, dict):
        raise error(f"{source} is not a JSON object", repr(value)[:60])
    return value


def _reject_duplicate_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is repeated in one object")
    return value
