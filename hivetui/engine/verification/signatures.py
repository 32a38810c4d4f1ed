"""Whether the signatures of a record are good, and of keys that were allowed at the time of the decision."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.records import ProblemCode
from hivetui.engine.model.times import format_date_time
from hivetui.engine.records import signers, signing
from hivetui.engine.records.envelope import Envelope, Signature
from hivetui.engine.records.statements import Decision, Proof
from hivetui.engine.verification.loading import Record

Finding = tuple[ProblemCode, str]


@dataclass(frozen=True)
class AllowedSigners:
    """A list of allowed signers: its text, and how messages call it."""

    text: str
    name: str


class SignatureCheck:
    """Checks records by one list, several at once: each signature is one process."""

    def __init__(self, host: Host, allowed: AllowedSigners) -> None:
        self._host, self._allowed = host, allowed
        self._slots = asyncio.Semaphore(os.cpu_count() or 1)

    async def check(self, record: Record) -> Sequence[Finding]:
        """What is wrong with the signatures of a record, each thing once."""
        content = record.content
        if content.signed is Proof.UNSIGNED or not all(envelope.signatures for envelope in record.envelopes):
            return [(ProblemCode.UNSIGNED, "It has no signature")]
        found: dict[Finding, None] = {}
        for envelope in record.envelopes:
            found |= dict.fromkeys([finding async for finding in self._check_envelope(envelope, record)])
        return list(found)

    async def _check_envelope(self, envelope: Envelope, record: Record) -> AsyncIterator[Finding]:
        content, good, bad = record.content, set[str](), 0
        operator = content.operator.name if isinstance(content, Decision) else None
        wanted = [signers.HOST, *([operator] if operator else [])]
        for signature in envelope.signatures:
            principal, finding = await self._check_signature(envelope, signature, wanted, content.at)
            if finding is not None:
                bad += 1
                yield finding
            elif principal is not None:
                good.add(principal)
        needed = wanted if content.signed is Proof.SIGNED else wanted[:1]
        for name in needed:
            if name not in good and not bad:
                yield ProblemCode.SIGNER, f"It has no signature of {name}"

    async def _check_signature(
        self, envelope: Envelope, signature: Signature, wanted: Sequence[str], at: datetime
    ) -> tuple[str | None, Finding | None]:
        """Who made a signature, or what is wrong with it."""
        try:
            key = signers.key_of(signature.text)
        except HiveError as error:
            return None, (ProblemCode.SIGNATURE, f"A signature cannot be read: {error.reason}")
        name = signers.fingerprint(key)
        patterns = signers.principals_of(key, self._allowed.text)
        principal = next((one for one in wanted if signers.matches(one, patterns)), None)
        data, text = envelope.signed_bytes(), signature.text
        async with self._slots:
            if principal is not None and name == signature.keyid:
                why = await signing.verify(self._host, data, text, principal, self._allowed.text, at)
                if why is None:
                    return principal, None
            if name != signature.keyid or not await signing.is_signature_of(self._host, data, text):
                return None, (ProblemCode.SIGNATURE, f"The signature of {name} is not one of this statement")
        if principal is None:
            known = f"is there for {', '.join(patterns)} only" if patterns else "is not there"
            return None, (ProblemCode.SIGNER, f"Its signer was not allowed: {name} {known} ({self._allowed.name})")
        when = format_date_time(at)
        return None, (ProblemCode.SIGNER, f"Its signer {principal} was not allowed at {when} UTC: {why}")
