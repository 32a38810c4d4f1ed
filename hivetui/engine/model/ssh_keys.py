"""Public SSH keys as text, "TYPE BASE64 [COMMENT]": whether one can be used, and its fingerprint. Pure.

It reads keys without asyncssh, because settings are read by every verb.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator

_PARTS = {
    "ssh-ed25519": 2,
    "ecdsa-sha2-nistp256": 3,
    "ecdsa-sha2-nistp384": 3,
    "ecdsa-sha2-nistp521": 3,
    "sk-ssh-ed25519@openssh.com": 3,
    "sk-ecdsa-sha2-nistp256@openssh.com": 4,
    "ssh-rsa": 3,
}
"""Kinds of keys, with the number of strings in the blob of each (RFC 4253, 5656, 8709; PROTOCOL.u2f of OpenSSH)."""
_MIN_RSA_BITS = 2048
_ED25519_BYTES = 32


def key_blob(text: str) -> bytes:
    """The blob of a public key, which is what the wire of SSH carries; ValueError says what is wrong with the text."""
    kind, _, rest = text.strip().partition(" ")
    if kind not in _PARTS:
        raise ValueError(f"a public key starts with its type: {', '.join(_PARTS)}")
    try:
        blob = base64.b64decode(rest.split(" ", 1)[0], validate=True)
        parts = list(_strings(blob))
    except (binascii.Error, ValueError) as error:
        raise ValueError("the key is not complete: it is one line of a .pub file") from error
    if parts[:1] != [kind.encode()] or len(parts) != _PARTS[kind]:
        raise ValueError(f"the key is not one of type {kind}")
    if kind == "ssh-rsa" and int.from_bytes(parts[2], "big").bit_length() < _MIN_RSA_BITS:
        raise ValueError(f"an RSA key needs {_MIN_RSA_BITS} bits")
    if "ed25519" in kind and len(parts[1]) != _ED25519_BYTES:
        raise ValueError(f"the key is not one of type {kind}")
    return blob


def fingerprint(blob: bytes) -> str:
    """The fingerprint of a key, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _strings(blob: bytes) -> Iterator[bytes]:
    """The strings of a blob, each after its length (RFC 4251, section 5)."""
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            raise ValueError
        yield blob[4 : 4 + length]
        blob = blob[4 + length :]
