"""Whose key made a signature: SSH signatures and the list of allowed signers. Pure.

The format of a signature is PROTOCOL.sshsig of OpenSSH, that of the list is in ssh-keygen(1), "ALLOWED SIGNERS".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from hivetui.engine.model.errors import BadData

HOST = "host"
"""The principal of the host's own key."""
NAMESPACE = "git"
"""gittuf accepts no other."""
_MAGIC = b"SSHSIG"


def key_of(armoured: bytes) -> bytes:
    """The public key in an armoured signature, as its blob; BadData when it is none."""
    lines = [line for line in armoured.splitlines() if line and not line.startswith(b"-----")]
    try:
        content = base64.b64decode(b"".join(lines), validate=True)
        if not content.startswith(_MAGIC):
            raise ValueError("it does not begin with SSHSIG")
        start = len(_MAGIC) + 8  # the version, and the length of the key
        length = int.from_bytes(content[start - 4 : start], "big")
        key = content[start : start + length]
        if not key or len(key) != length:
            raise ValueError("it is cut off")
    except (ValueError, binascii.Error) as error:
        raise BadData("A signature cannot be read", str(error), "Verify the history: hivetui verify") from error
    return key


def fingerprint(key: bytes) -> str:
    """The fingerprint of a public key as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode("ascii").rstrip("=")


def signer_line(principal: str, public_key: str, since: datetime) -> str:
    """The line that allows a key (as in its .pub file) to sign from `since` on."""
    kind, blob = public_key.split()[:2]
    return f'{principal} namespaces="{NAMESPACE}",valid-after="{format_time(since)}" {kind} {blob}\n'


def format_time(time: datetime) -> str:
    """A time as ssh-keygen reads it, in UTC and whole seconds."""
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def principals_of(key: bytes, signers: str) -> tuple[str, ...]:
    """The patterns of principals that a list has for a key, whether or not they are valid now."""
    wanted = base64.b64encode(key).decode("ascii")
    found = (fields[0] for fields in _entries(signers) if wanted in fields[1:])
    return tuple(dict.fromkeys(pattern for patterns in found for pattern in patterns.split(",")))


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of these patterns stands for a principal."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _entries(signers: str) -> Iterator[list[str]]:
    for line in signers.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                yield shlex.split(line)
            except ValueError:  # ssh-keygen refuses such a line too
                continue
