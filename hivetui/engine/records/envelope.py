"""DSSE envelopes (github.com/secure-systems-lab/dsse), one compact JSON object a line. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hivetui.engine.model.dsse import signed_bytes
from hivetui.engine.model.errors import BadData
from hivetui.engine.records.statements import compact_json


@dataclass(frozen=True)
class Signature:
    """One signature: the fingerprint of the key, and the armoured text of ssh-keygen."""

    keyid: str
    text: bytes


@dataclass(frozen=True)
class Envelope:
    """A statement of a type, and its signatures. The host's is the last one, so that a shell finds it."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...] = ()

    def signed_bytes(self) -> bytes:
        """What is signed: the pre-authentication encoding of DSSE."""
        return signed_bytes(self.payload_type, self.payload)

    def statement(self) -> dict[str, Any]:
        """The statement; BadData unless it is a JSON object."""
        return _json_object(self.payload)


def format_bundle(envelopes: Sequence[Envelope]) -> bytes:
    """The content of a record."""
    return b"".join(_format(envelope) + b"\n" for envelope in envelopes)


def parse_bundle(content: bytes) -> tuple[Envelope, ...]:
    """The envelopes of a record; BadData when it is none."""
    envelopes = tuple(_parse(line) for line in content.split(b"\n") if line)
    if not envelopes:
        raise _unreadable("it is empty")
    return envelopes


def _format(envelope: Envelope) -> bytes:
    signatures = [{"keyid": one.keyid, "sig": _encode(one.text)} for one in envelope.signatures]
    return compact_json(
        {"payloadType": envelope.payload_type, "payload": _encode(envelope.payload), "signatures": signatures}
    )


def _parse(line: bytes) -> Envelope:
    fields = _json_object(line)
    try:
        signatures = tuple(Signature(str(one["keyid"]), _decode(one["sig"])) for one in fields["signatures"])
        return Envelope(str(fields["payloadType"]), _decode(fields["payload"]), signatures)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise _unreadable(f"it is not a DSSE envelope ({error})") from error


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _unreadable(str(error)[:100]) from error
    if not isinstance(value, dict):
        raise _unreadable("it is not a JSON object")
    return value


def _unreadable(why: str) -> BadData:
    return BadData("The record cannot be read", why, "Verify the whole history: hivetui verify")
