"""`make docs`: docs/wire.md, generated from the tables that the engine itself answers by."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from hivetui.client.unix_socket import ANSWER_SECONDS
from hivetui.service.connection import MAX_IN_FLIGHT, STALL_SECONDS
from hivetui.service.engine import MAX_CLIENTS, MAX_CLIENTS_EACH
from hivetui.service.hyperhive import COMMANDS, NO_NOTE, VERSION
from hivetui.service.tokens import KEPT
from hivetui.wire.frames import BATCH_BYTES, MAX_ANSWER_BYTES, MAX_REQUEST_BYTES
from hivetui.wire.verbs import (
    BASE,
    FLAG,
    HASH,
    MAX_LABEL,
    NOTES,
    NUMBER,
    OBJECT,
    SEEN,
    SIGNED,
    TEXT,
    TEXTS,
    TOKEN,
    VERBS,
    MemberKind,
    Verb,
)

KINDS: dict[MemberKind, str] = {
    TEXT: "text",
    NUMBER: "number",
    FLAG: "flag",
    TEXTS: "texts",
    HASH: "hash",
    BASE: "base",
    NOTES: "notes",
    SEEN: "seen",
    SIGNED: "signed",
    TOKEN: "token",
    OBJECT: "object",
}
_STREAMS = {
    "watch": "`instance` and `snapshot` (`agents proposals operations warnings problem waits_for`), then one `change` "
    "a frame: what differs, and `agents_gone proposals_gone operations_gone`. `after` and `instance` resume it",
    "figures": "`figures`: what the running containers use, when it differs noticeably",
    "difference": "`data`: a part of git's unified diff, in base64",
    "logs": "`lines` (`time agent stream text priority cursor`) and `dropped`: how many were left out before them. "
    "New lines are left out for a client that has a full buffer and takes nothing for 2 s, or is behind for 10 s",
    "operation": "`operation`, then `entries` (`number time kind state stream text argv cut`), and `operation` as it "
    "is at the end. `seq` is the number of the last entry, and `after` resumes",
}
_REQUESTS = {
    "list": ("", "`agents`: names"),
    "agent_status": (
        "",
        "`agent_statuses`: rows of `name running failed needs_update needs_login paused parent deployed_sha "
        "active_model status_text status_set_at url`",
    ),
    "subscribe_agent_status": ("", "nothing more; then one answer with one row of `agent_statuses` for each change"),
    "pending": (
        "",
        "`approvals`: rows of `id agent kind commit_ref fetched_sha requested_at status resolved_at note description`",
    ),
    "approve": ("`id commit base note`", "nothing more, when it is claimed; refused without `commit` and `base`"),
    "deny": ("`id note`", f"nothing more; without a note it is recorded with `{NO_NOTE}`"),
    "start": ('`{"scope":{"agent_names":[…]}}`', "nothing more, when done for all; an empty scope is refused"),
    "stop": ('`{"scope":{"agent_names":[…]}}`', "nothing more, when done for all; an empty scope is refused"),
    "restart": ("`name`", "nothing more, when done"),
    "urls": ("", "`urls`: `domain home forge`, null when not set"),
}


def document() -> str:
    """The whole page."""
    return "\n".join(
        [
            _HEAD,
            *_table(("what", "limit"), _limits()),
            _FRAMES,
            *_table(("kind", "what it is"), ((name, kind.text) for kind, name in KINDS.items())),
            "",
            "### Verbs for everybody",
            "",
            "Required members are **bold**.",
            "",
            *_verbs(verb for verb in VERBS.values() if not verb.acts),
            "",
            "### Verbs that decide or start something",
            "",
            "Only the role `decide` may use them, and each may carry `token`.",
            "",
            *_verbs(verb for verb in VERBS.values() if verb.acts),
            "",
            "### Streams",
            "",
            'Each frame has `id`, `ok` and `seq`; the last one has `"end": true`, and `error` if the stream failed.',
            "",
            *_table(("verb", "frames"), _STREAMS.items()),
            _TOKENS,
            _HYPERHIVE,
            *_table(("request", "members", "answer beside `version` and `ok`", "role"), _requests()),
            "",
        ]
    )


def _limits() -> Iterable[tuple[str, str]]:
    yield "a line that a client sends", f"{MAX_REQUEST_BYTES >> 20} MiB; a longer one is one error and is skipped"
    yield "a line that an engine sends", f"{MAX_ANSWER_BYTES >> 20} MiB"
    yield "lines of logs and entries of operations", f"in frames of about {BATCH_BYTES >> 10} KiB"
    yield "connections", f"{MAX_CLIENTS}, and {MAX_CLIENTS_EACH} of one user other than root; one more gets 75"
    yield (
        "requests in flight of a connection",
        f"{MAX_IN_FLIGHT}; one more gets 75. A stream is in flight until its end",
    )
    yield "a client that takes nothing", f"is disconnected after {STALL_SECONDS:.0f} seconds"
    yield "an engine that accepts and says nothing", f"verbs end with 69 after {ANSWER_SECONDS:.0f} seconds"
    yield "a token and its outcome", f"are kept for {KEPT.days} days"


def _verbs(verbs: Iterable[Verb]) -> list[str]:
    rows = ((f"`{verb.name}`", verb.text, _members(verb)) for verb in verbs)
    return _table(("verb", "what it does", "members"), rows)


def _members(verb: Verb) -> str:
    members = [(name, KINDS[kind]) for name, kind in verb.members.items() if kind is not TOKEN or not verb.acts]
    shown = (f"**`{name}`** {kind}" if name in verb.required else f"`{name}` {kind}" for name, kind in members)
    return ", ".join(shown)


def _requests() -> Iterable[tuple[str, ...]]:
    for command, (verb, _) in COMMANDS.items():
        yield f"`{command}`", *_REQUESTS[command], verb.role.value


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


_HEAD = """# The wire

What an engine and its clients say to each other, over `/run/hyperhive/host.sock` and over `hivetui engine
--stdio`. Generated by `make docs` from the tables that the engine answers by.

Frames are JSON objects in UTF-8, one a line. A frame with `cmd` is a request of hyperhive, one with `verb` is
one of ours, and one with both is an error. The engine never speaks first. What cannot be parsed is answered
with one error, and the connection lives on; so is an object in which a member is given twice. A client may
close its side when it has asked everything: what was asked is answered, and endless streams end.

## Roles

Everybody may connect; the kernel says which user did. Root, the user of the engine, and members of
`socket.group` have the role `decide`; members of `socket.look_group` have `look`, which reads, and decides,
starts and changes nothing. Others get one error (77) and are disconnected. Nothing that a client says gains it
a role, with one exception: the user of the SSH door (`serve.user`) has none, and gets that of the operator whom it
names in its first `hello` as `"operator":{"name":…,"source":…,"key":…}`, the address and the fingerprint of a key of
that operator. The role and the keys are those of the engine's own settings, and the connection is of no other
operator from then on.

## Limits
"""
_FRAMES = f"""
## Requests

```
{{"id":1,"verb":"hello","schema":"hivetui/1"}}
{{"id":1,"ok":true,"schema":"hivetui/1","engine":…,"instance":…,"hive":…,"role":"decide","operator":…,"verbs":[…]}}
{{"id":"a","verb":"deny","proposal":7,"note":"not now"}}
{{"id":"a","ok":false,"error":{{"code":75,"what":…,"why":…,"fix":…,"kind":…}}}}
{{"cancel":"a"}}
```

`id` is the client's label for the request: a text of at most {MAX_LABEL} characters or a whole number, and not
one that is in flight. Answers to different ids may interleave. `hello` may ask for `"role":"look"`, which gives
up deciding; for root it may name the login behind sudo as `"operator":{{"name":…}}`. Any `hivetui/` with a number
is served; to another schema than the engine's own the answer has `messages`, which say so. Codes of errors are the
exit statuses of the command line: an unknown verb or member is 64, a value that is not its kind 65. Answers
have the members of `--json`. A request that starts an operation is answered when it has begun. `cancel` ends a
stream; of what does not run it ends nothing.
"""
_TOKENS = """
## Tokens

A request that decides or starts something may carry a `token`, which is kept with what it led to. The same
token again is answered with that outcome and does nothing; if the first was never carried out, it is carried
out now. A token belongs to one request of one operator. `outcome` answers
`{"outcome":{"state":…}}`: `done` with the answer, `not done` with the error if there was one, or `unknown`
while it is being carried out; with `"interrupted":true` an engine ended meanwhile and the hive does not show
whether it was done, which is so only for what does no more when it is done again.
"""
_HYPERHIVE = f"""
## Requests of hyperhive

Version {VERSION} of its wire. Every answer has `"version":{VERSION}`, `"ok"`, and `"error"`, a text, when not
ok. They are answered in order, one at a time. Unknown members are ignored; an unknown `cmd` is an error, and
the connection lives on. Times are ISO 8601 in UTC.
"""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), "utf-8")
