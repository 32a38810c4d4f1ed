"""Reading records as an outsider does: git, JSON, base64 and ssh-keygen, and nothing of the engine."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

_GIT = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def git(git_dir: Path, *words: str, stdin: bytes = b"") -> str:
    argv = ["git", "--git-dir", str(git_dir), *words]
    return subprocess.run(argv, check=True, capture_output=True, input=stdin, env=_GIT).stdout.decode().strip()


def envelopes(git_dir: Path, name: object) -> list[dict[str, Any]]:
    text = git(git_dir, "cat-file", "blob", f"refs/hive/records/{name}")
    return [json.loads(line) for line in text.splitlines()]


def statement(envelope: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return content


def predicate(git_dir: Path, name: object) -> dict[str, Any]:
    """The predicate of our own statement in a record."""
    content: dict[str, Any] = statement(envelopes(git_dir, name)[-1])["predicate"]
    return content


def signers(envelope: dict[str, Any], allowed: Path, folder: Path) -> list[str]:
    """Who signed an envelope, by ssh-keygen."""
    kind, payload = envelope["payloadType"], base64.b64decode(envelope["payload"])
    data = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    found = []
    for number, signature in enumerate(envelope["signatures"]):
        file = folder / f"signature-{number}"
        file.write_bytes(base64.b64decode(signature["sig"]))
        words = ("ssh-keygen", "-Y", "find-principals", "-f", str(allowed), "-s", str(file))
        who = subprocess.run(words, check=True, capture_output=True).stdout.decode().strip()
        verify = ("ssh-keygen", "-Y", "verify", "-n", "git", "-I", who, "-f", str(allowed), "-s", str(file))
        said = subprocess.run(verify, check=True, capture_output=True, input=data).stdout.decode()
        assert signature["keyid"] in said
        found.append(who)
    return found


def new_key(path: Path) -> Path:
    """A new SSH key without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path
