"""Publishing decisions: each goes into the event log and, on a real host, into the journal of systemd."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

from hivetui.engine.events import event_log
from hivetui.engine.host.host import Host
from hivetui.engine.model.events import Event
from hivetui.engine.model.text import safe, to_bytes

_SOCKET = "run/systemd/journal/socket"
_NOTICE = "5"  # syslog(3)
MESSAGE_IDS = {
    "pinned": "a70a100ff34543cda5a58279e2c71e87",
    "approved": "fa5a56ef6e254bcf95f3c7554c5c412b",
    "denied": "c3adc884ea4b4396a322efed7995f088",
    "withdrawn": "2e4cc3f689dc4eb686ad06123870bb11",
    "rolled back": "1b1e0c61a9e34e0185865f71ea1d0aba",
    "deployed": "4ad621df134f4bad81c168e96c38eeac",
    "failed": "98392ee66b3245acac8f997fc5ae559e",
}
"""The MESSAGE_ID of each kind of entry (journalctl(1), systemd.journal-fields(7)); they never change."""


def publish(host: Host, event: Event) -> None:
    """Append `event` to the event log and, on a real host, to the journal, with each of its facts in a field."""
    event_log.append(host.paths, event)
    if not host.embedded:
        send(host, journal_fields(event))


def journal_fields(event: Event) -> dict[str, str]:
    """The fields of the journal entry for `event`."""
    facts = {
        "EVENT": event.kind.value,
        "AGENT": event.agent,
        "PROPOSAL": event.proposal,
        "OPERATOR": event.operator,
        "SOURCE": event.source,
        "TIME": event.time.isoformat(),
        **event.data,
    }
    hive_fields = {f"HIVE_{key.upper()}": str(value) for key, value in facts.items() if value is not None}
    kind = event.data.get("decision") or event.data.get("state") or "pinned"
    own_fields = {"MESSAGE_ID": MESSAGE_IDS[kind], "PRIORITY": _NOTICE, "SYSLOG_IDENTIFIER": "hivetui"}
    return {"MESSAGE": safe(event.text)} | own_fields | hive_fields


def encode_entry(values: Mapping[str, str]) -> bytes:
    """One entry in the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), every value with its length."""
    parts = []
    for key, value in values.items():
        data = to_bytes(value)
        parts.append(key.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
    return b"".join(parts)


def send(host: Host, values: Mapping[str, str]) -> None:
    """Send one entry to the journal. A missing or full journal blocks no decision: the tags record it anyway."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.setblocking(False)
        journal.connect(str(host.paths.root / _SOCKET))
        journal.send(encode_entry(values))
