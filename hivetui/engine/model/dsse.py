"""What is signed of a statement: the pre-authentication encoding of DSSE (github.com/secure-systems-lab/dsse). Pure."""

from __future__ import annotations


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """The bytes that a signature is over: the lengths of type and payload are part of them."""
    return b"DSSEv1 %d %s %d " % (len(payload_type), payload_type.encode(), len(payload)) + payload
