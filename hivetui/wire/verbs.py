"""The verbs of the wire: who may use each, its members, and how a frame becomes a request.

Members are named after the arguments and long options of the command line. An unknown verb or member is refused:
ignoring one could approve more than was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hivetui.engine.model.errors import BadData, WrongUsage
from hivetui.engine.model.notes import MAX_NOTES, LineNote
from hivetui.engine.model.records import MAX_SEEN, GivenSignatures, Seen
from hivetui.wire.frames import Json, restore_exact_bytes

MAX_ID = 1 << 53
"""Ids of proposals and operations are whole numbers up to here, which every JSON library keeps exactly."""
MAX_LABEL = 64
_MAX_NAMES = 1000


class Role(StrEnum):
    """What a connection may do: everything, or read."""

    DECIDE = "decide"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class MemberKind:
    """A kind of value: what it is in words, and its check, which raises ValueError."""

    text: str
    check: Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    value.encode()  # a lone surrogate, which JSON can name and UTF-8 cannot, is refused by a ValueError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_ID:
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MAX_NAMES:
        raise ValueError
    return tuple(map(_text, value))


def _notes(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > MAX_NOTES:
        raise ValueError
    return tuple(map(_note, value))


def _note(value: Any) -> Any:
    """As it was given: what a token keeps of a request is JSON."""
    if isinstance(value, str):
        return _text(value)
    content = restore_exact_bytes(value)
    _text(LineNote.model_validate(content).text)
    return value


def _seen(value: Any) -> Any:
    """As it was given, like notes."""
    Seen.model_validate(value)
    return value


def _signed(value: Any) -> Any:
    """As it was given, like notes."""
    GivenSignatures.model_validate(value)
    return value


def _hash(value: Any) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", _text(value), re.ASCII):
        raise ValueError
    return str(value)


def _base(value: Any) -> str:
    if re.fullmatch(r"(deployed|proposal|denied)/[0-9]{1,16}", _text(value), re.ASCII):
        return str(value)
    return _hash(value)


def _token(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", _text(value), re.ASCII):
        raise ValueError
    return str(value)


TEXT = MemberKind("a text in UTF-8, without NUL", _text)
NUMBER = MemberKind("a whole number from 0 to 2^53", _number)
FLAG = MemberKind("true or false", _flag)
TEXTS = MemberKind(f"a list of at most {_MAX_NAMES} texts", _texts)
BASE = MemberKind("a full hash, or a tag such as deployed/3", _base)
HASH = MemberKind("a full hash, 40 lower-case hexadecimal digits", _hash)
TOKEN = MemberKind("1 to 64 of the letters A-Z a-z 0-9 _ -", _token)
NOTES = MemberKind(
    f"a list of at most {MAX_NOTES} notes on lines: objects of file, side, from, to, text, or texts as of `--line`",
    _notes,
)
SEEN = MemberKind(
    f"an object of `blobs`, git's ids of files, and `hunks`, SHA-256 of hunks: lists of at most {MAX_SEEN} together",
    _seen,
)
SIGNED = MemberKind(
    "an object of `at`, the time in the statements, and `signatures`, the armoured SSH signature of each", _signed
)
OBJECT = MemberKind("an object", lambda value: value if isinstance(value, dict) else _refuse())


def _refuse() -> Any:
    raise ValueError


@dataclass(frozen=True)
class Verb:
    """One verb: its line in the documentation, who may use it, its members, and those that are required.

    A `stream` answers with many frames, of which the last has `"end": true`. Verbs that `act` decide or start
    something, and take a token.
    """

    name: str
    text: str
    role: Role = Role.LOOK
    members: Mapping[str, MemberKind] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    stream: bool = False
    acts: bool = False


@dataclass(frozen=True)
class Request:
    """A request of a client: its label, the verb, and the members that were given, checked."""

    id: str | int
    verb: Verb
    members: Mapping[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """A member, or `default` where it was not given or is null."""
        value = self.members.get(name)
        return default if value is None else value


def _read(
    name: str, text: str, required: tuple[str, ...] = (), /, *, stream: bool = False, **members: MemberKind
) -> Verb:
    return Verb(name, text, Role.LOOK, members, required, stream)


def _act(name: str, text: str, required: tuple[str, ...] = (), /, **members: MemberKind) -> Verb:
    return Verb(name, text, Role.DECIDE, {**members, "token": TOKEN}, required, acts=True)


_LIFECYCLE = {"name": TEXT, "names": TEXTS, "wait": FLAG}
_STATED = {
    **{"proposal": NUMBER, "commit": HASH, "base": HASH, "note": TEXT, "acknowledge": TEXTS, "effect": TEXT},
    **{"seen": SEEN, "restart": FLAG, "lines": NOTES, "name": TEXT, "to": NUMBER},
}
VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        _read("hello", "who both sides are", ("schema",), schema=TEXT, role=TEXT, operator=OBJECT),
        _read("watch", "a snapshot of the state, then each change", stream=True, after=NUMBER, instance=TEXT),
        _read("outcome", "what a token has led to", ("token",), token=TOKEN),
        _read("repairs", "what was repaired when the engine started, once that has ended"),
        _read("agents", "every agent and its state"),
        _read("agent", "one agent with its paths, mounts, limits and deploys", ("name",), name=TEXT),
        _read("advice", "what spawning an agent of this name would lead to", ("name",), name=TEXT),
        _read("proposals", "the pending proposals", all=FLAG, agent=TEXT, files=FLAG, findings=FLAG),
        _read("queue", "which pending proposals make the same change, and which conflict"),
        _read("show", "one proposal with its files and findings", ("proposal",), proposal=NUMBER, base=BASE),
        _read("review", "one proposal with its files and commits", ("proposal",), proposal=NUMBER, base=BASE),
        _read("findings", "what the rules find in a proposal", ("proposal",), proposal=NUMBER, base=BASE),
        _read(
            "difference",
            "git's unified diff, in chunks of base64",
            ("proposal", "base"),
            stream=True,
            proposal=NUMBER,
            base=BASE,
            context=NUMBER,
            ignore_whitespace=FLAG,
        ),
        _read("effect", "what a proposal would do, as far as it is known", ("proposal",), proposal=NUMBER),
        _read("figures", "memory, CPU and tasks of the running agents, again and again", stream=True),
        _read("notes", "the notes on lines that this operator keeps", ("proposal",), proposal=NUMBER),
        _read("viewed", "the marks that this operator has set on files", ("name",), name=TEXT),
        _read("history", "every deploy, newest first", name=TEXT),
        _read(
            "logs",
            "the lines of agents' logs",
            ("names",),
            stream=True,
            names=TEXTS,
            follow=FLAG,
            lines=NUMBER,
            all=FLAG,
            since=TEXT,
            grep=TEXT,
            cursors=TEXTS,
        ),
        _read("operations", "the running operations", all=FLAG),
        _read(
            "operation",
            "one operation and its entries; with follow, to its end; with output false, without entries",
            ("operation",),
            stream=True,
            operation=NUMBER,
            follow=FLAG,
            output=FLAG,
            after=NUMBER,
        ),
        _read("warnings", "what is wrong, with the fix for each"),
        _read("rules", "the rules of the findings", rule=TEXT),
        _read("verify", "compare the history with the records of its decisions", name=TEXT, signers=TEXT),
        _read("doctor", "the checks of the host"),
        _act("mark", "mark a file as viewed, or not", ("name", "mark", "viewed"), name=TEXT, mark=TEXT, viewed=FLAG),
        _act("submit", "pin a commit as a proposal", ("name",), name=TEXT, commit=TEXT, message=TEXT),
        _act("preview", "find out what a proposal would do", ("proposal",), proposal=NUMBER),
        _act("retry", "propose the commit of an ended proposal again", ("proposal",), proposal=NUMBER),
        _act("request-spawn", "propose to spawn an agent", ("name",), name=TEXT, message=TEXT),
        _act(
            "approve",
            "claim a proposal and start its deploy",
            ("proposal",),
            proposal=NUMBER,
            commit=HASH,
            base=HASH,
            note=TEXT,
            acknowledge=TEXTS,
            effect=TEXT,
            seen=SEEN,
            restart=FLAG,
            signed=SIGNED,
        ),
        _act("deny", "deny a proposal", ("proposal", "note"), proposal=NUMBER, note=TEXT, lines=NOTES, signed=SIGNED),
        _act(
            "keep-notes",
            "keep notes on lines, in place of earlier ones, until the proposal is decided",
            ("proposal", "lines"),
            proposal=NUMBER,
            lines=NOTES,
        ),
        _act("withdraw", "close a proposal without a decision", ("proposal",), proposal=NUMBER, signed=SIGNED),
        _act(
            "rollback",
            "deploy an earlier commit again",
            ("name", "to", "note"),
            name=TEXT,
            to=NUMBER,
            note=TEXT,
            signed=SIGNED,
        ),
        _act(
            "statement",
            "what the operator signs of an approve, deny, withdraw or rollback with these members; decides nothing",
            ("decision",),
            decision=TEXT,
            **_STATED,
        ),
        _act("spawn", "create an agent", ("name",), name=TEXT),
        _act("start", "start containers", **_LIFECYCLE),
        _act("stop", "stop containers", **_LIFECYCLE),
        _act("restart", "stop containers and start them again", **_LIFECYCLE),
        _act("rebuild", "build the deployed commits again", all=FLAG, **_LIFECYCLE),
        _act("destroy", "remove a container", ("name",), name=TEXT, purge=FLAG, confirm=TEXT),
        _act("cancel", "cancel a running operation", ("operation",), operation=NUMBER),
        _act("update-base", "lock the base flake at its newest revision, or at another", to=TEXT),
        _act("repair", "repair what crashes left", name=TEXT, dry_run=FLAG),
    )
}
"""Every verb, by name."""


def find_verb(frame: Json) -> Verb:
    """The verb of a frame; WrongUsage for one without, or with one that is not known."""
    name = frame.get("verb")
    verb = VERBS.get(name) if isinstance(name, str) else None
    if verb is None:
        shown = repr(name)[:60]
        raise WrongUsage(f"{shown} is not a verb", f"Verbs: {', '.join(VERBS)}.", "Send one of them as `verb`.")
    return verb


def label_of(frame: Json) -> str | int:
    """The client's label of a request; BadData for one that is not a short text or a whole number."""
    label = frame.get("id")
    is_number = isinstance(label, int) and not isinstance(label, bool) and 0 <= label <= MAX_ID
    if is_number or (isinstance(label, str) and len(label) <= MAX_LABEL):
        return label  # type: ignore[return-value]
    why = f"It is a text of at most {MAX_LABEL} characters, or a whole number from 0 to 2^53."
    raise BadData("A request needs an `id`", why, 'Send, for example: {"id":1,"verb":"agents"}')


def parse_request(frame: Json, verb: Verb, label: str | int) -> Request:
    """The request of a frame. WrongUsage for an unknown or missing member, BadData for a value that is not its kind."""
    given = {name: value for name, value in frame.items() if name not in ("verb", "id")}
    if unknown := [name for name in given if name not in verb.members]:
        members = ", ".join(verb.members) or "none"
        what = f"{unknown[0][:40]!r} is not a member of {verb.name}"
        raise WrongUsage(what, f"Its members: {members}.", "Leave it out; nothing was done.")
    if missing := [name for name in verb.required if given.get(name) is None]:
        raise WrongUsage(f"{verb.name} needs {missing[0]!r}", f"Required: {', '.join(verb.required)}.", "Give it.")
    checked = {name: _checked(verb, name, value) for name, value in given.items() if value is not None}
    return Request(label, verb, checked)


def _checked(verb: Verb, name: str, value: Any) -> Any:
    kind = verb.members[name]
    try:
        return kind.check(value)
    except ValueError as error:
        raise BadData(
            f"{name!r} of {verb.name} is not {kind.text}", f"It is {repr(value)[:60]}.", "Correct it."
        ) from error
