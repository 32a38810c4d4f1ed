"""Signing records and checking signatures, by ssh-keygen.

The host's key is made once, and allowed from then on. Decisions do not depend on it: what cannot be signed is recorded
unsigned, and says so. An operator's key is a wish of the operator, so a decision without it is refused.

An operator's key signs in the process of that operator only. An engine that serves others knows none: their consoles
and verbs sign beside their keys and send the signatures, which `attach` checks.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hivetui.engine.host import files, locks, programs, scratch
from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.host.runner import command_failed, run_checked
from hivetui.engine.model.errors import BadConfiguration, BadData, CommandFailed, HiveError, NotAllowed, Stale
from hivetui.engine.model.records import GivenSignatures
from hivetui.engine.model.text import to_bytes
from hivetui.engine.records.envelope import Envelope, Signature
from hivetui.engine.records.signers import HOST, NAMESPACE, fingerprint, format_time, key_of, signer_line
from hivetui.engine.records.statements import Proof

_TIMEOUT = 20.0  # seconds; a key on a token may have to be touched
_LOCK_TIMEOUT = 10.0
_SIGN_AGAIN = "Decide again, so that it is signed again."
_MARGIN = timedelta(minutes=1)  # the decision that the key is made for has a time before that


class CannotSign(HiveError):
    """The host's key cannot sign. A decision is then recorded unsigned."""


@dataclass(frozen=True)
class Keys:
    """The keys that sign: the operator's, if one is set, and the host's; `problem` says why there are none."""

    host: Path | None = None
    operator: Path | None = None
    problem: str = ""

    @property
    def proof(self) -> Proof:
        """What a record that these keys sign is called."""
        if self.host is None:
            return Proof.UNSIGNED
        return Proof.WITNESSED if self.operator is None else Proof.SIGNED


async def load_keys(host: Host) -> Keys:
    """The keys of this host, whose own is created if it has none; without any when nothing can be signed here."""
    if programs.find(host, host.tools.ssh_keygen) is None:
        return Keys(problem="ssh-keygen is not installed")
    try:
        await _ensure_host_key(host)
    except HiveError as error:
        return Keys(problem=_one_line(error))
    return Keys(host.paths.record_key, operator_key(host))


def operator_key(host: Host) -> Path | None:
    """The operator's key, None if none is set."""
    chosen = host.settings.console.sign_key
    return Path(chosen).expanduser() if chosen else None


def without_operator_key(host: Host) -> Host:
    """The host for decisions of somebody who is not the operator of this process: no key of an operator signs them."""
    if host.settings.console.sign_key is None:
        return host
    console = host.settings.console.model_copy(update={"sign_key": None})
    return replace(host, settings=host.settings.model_copy(update={"console": console}))


async def attach(
    host: Host, envelopes: tuple[Envelope, ...], given: GivenSignatures, operator: str
) -> tuple[Envelope, ...]:
    """The envelopes with the signatures that an operator has given.

    Stale when they are not of these statements, NotAllowed for a key that the list of signers does not have for that
    operator at that time, BadData for what is no signature or too few of them.
    """
    texts = tuple(text.encode("ascii") for text in given.signatures)
    if len(texts) != len(envelopes):
        why = f"{len(envelopes)} statements are to be signed, and {len(texts)} signatures were given."
        raise BadData("The decision was not signed as a whole, so nothing was decided", why, _SIGN_AGAIN)
    allowed = _allowed_signers(host)
    for envelope, text in zip(envelopes, texts, strict=True):
        await _require_signature(host, envelope.signed_bytes(), text, operator, allowed, given.at)
    return tuple(
        replace(envelope, signatures=(Signature(fingerprint(key_of(text)), text),))
        for envelope, text in zip(envelopes, texts, strict=True)
    )


def _allowed_signers(host: Host) -> str:
    """The list; a missing one allows nobody."""
    try:
        return host.paths.allowed_signers.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


async def _require_signature(host: Host, data: bytes, text: bytes, operator: str, allowed: str, at: datetime) -> None:
    key = fingerprint(key_of(text))
    if not await is_signature_of(host, data, text):
        why = "The hive has moved since: meta, what rules find, or the notes on lines."
        raise Stale("What was signed is not what would be recorded now, so nothing was decided", why, _SIGN_AGAIN)
    if (problem := await verify(host, data, text, operator, allowed, at)) is not None:
        fix = f"Ask root to add it to {host.paths.allowed_signers} for {operator}, see docs/verify.md."
        raise NotAllowed(f"The key {key} may not sign for {operator}, so nothing was decided", problem, fix)


async def sign(host: Host, keys: Keys, envelopes: tuple[Envelope, ...]) -> tuple[Envelope, ...]:
    """The envelopes with the signatures of all keys; CannotSign for the host's, BadConfiguration for the operator's."""
    return tuple(await asyncio.gather(*(_sign_envelope(host, keys, envelope) for envelope in envelopes)))


async def _sign_envelope(host: Host, keys: Keys, envelope: Envelope) -> Envelope:
    """The host's signature is the last one."""
    data = envelope.signed_bytes()
    making = [_sign_as_host(host, keys.host, data)] if keys.host else []
    if keys.operator:
        making.insert(0, sign_as_operator(host, keys.operator, data))
    return replace(envelope, signatures=(*envelope.signatures, *await asyncio.gather(*making)))


async def _sign_as_host(host: Host, key: Path, data: bytes) -> Signature:
    try:
        return await _sign(host, key, data)
    except HiveError as error:
        raise CannotSign(f"The key {key} cannot sign", _one_line(error), "See: hivetui doctor") from error


def _one_line(error: HiveError) -> str:
    return ": ".join(filter(None, (error.what, error.reason)))


async def sign_as_operator(host: Host, key: Path, data: bytes) -> Signature:
    """The signature of the operator's key; BadConfiguration when it cannot sign."""
    try:
        return await _sign(host, key, data)
    except HiveError as error:
        what = f"The key {key} (console.sign_key) cannot sign, so nothing was decided"
        fix = "Correct console.sign_key, load the key into ssh-agent, or leave the setting out: the host then signs."
        raise BadConfiguration(what, error.why or error.what, fix) from error


async def _sign(host: Host, key: Path, data: bytes) -> Signature:
    completed = await _run(host, "-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key), stdin=data)
    if completed.status:
        raise command_failed(completed)
    return Signature(fingerprint(key_of(completed.stdout)), completed.stdout)


async def verify(host: Host, data: bytes, signature: bytes, principal: str, signers: str, at: datetime) -> str | None:
    """Check a signature of a principal at a time by a list of signers: None if it is good, else why not."""
    time = f"-Overify-time={format_time(at)}"
    with _in_memory(signature) as signed, _in_memory(to_bytes(signers)) as allowed:
        words = ("verify", "-n", NAMESPACE, "-I", principal, "-f", _path(allowed), "-s", _path(signed), time)
        command = replace(_command(host, "-Y", *words, stdin=data), pass_fds=(signed, allowed))
        completed = await host.runner.run(command)
    if completed.status == 0:
        return None
    return command_failed(completed).reason or "ssh-keygen refused it"


async def is_signature_of(host: Host, data: bytes, signature: bytes) -> bool:
    """Whether a signature is one of `data`, whoever made it."""
    with _in_memory(signature) as signed:
        command = _command(host, "-Y", "check-novalidate", "-n", NAMESPACE, "-s", _path(signed), stdin=data)
        return (await host.runner.run(replace(command, pass_fds=(signed,)))).status == 0


@contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    """The descriptor of a file that is on no disk; a verification writes nothing."""
    with os.fdopen(os.memfd_create("hivetui"), "wb") as file:
        file.write(content)
        file.flush()
        yield file.fileno()


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


async def _ensure_host_key(host: Host) -> None:
    """Create the host's key, allowed from now on. The line comes first: a key without one could never be checked."""
    paths = host.paths
    if paths.record_key.exists():
        return
    files.make_directory(paths.record_key.parent, 0o700)
    with await locks.wait_for(paths.locks / "record-key", "create the key for records", _LOCK_TIMEOUT):
        if paths.record_key.exists():
            return
        with scratch.scratch_directory(paths) as folder:
            words = ("-q", "-t", "ed25519", "-N", "", "-C", HOST, "-f", str(folder / "key"))
            await run_checked(host, _command(host, *words))
            private, public = ((folder / name).read_bytes() for name in ("key", "key.pub"))
        line = signer_line(HOST, public.decode("ascii"), host.clock() - _MARGIN)
        known = paths.allowed_signers.read_text("utf-8") if paths.allowed_signers.exists() else ""
        files.replace(paths.allowed_signers, (known + line).encode("utf-8"))
        files.replace(paths.record_key.with_suffix(".pub"), public)
        files.replace(paths.record_key, private, 0o600)


async def probe(host: Host) -> None:
    """Sign and check in a directory that is removed: with a new key, and with the operator's if one is set.

    CommandFailed or BadConfiguration when that is not possible.
    """
    with tempfile.TemporaryDirectory(prefix="hivetui-") as folder:  # nothing of the hive may be created for a check
        key = Path(folder, "key")
        await run_checked(host, _command(host, "-q", "-t", "ed25519", "-N", "", "-C", HOST, "-f", str(key)))
        signature, now = await _sign(host, key, b"probe"), host.clock()
        allowed = signer_line(HOST, key.with_suffix(".pub").read_text("ascii"), now)
    if (why := await verify(host, b"probe", signature.text, HOST, allowed, now)) is not None:
        raise CommandFailed("ssh-keygen does not verify what it signed", why, "Install OpenSSH 9.1 or newer.")
    if chosen := operator_key(host):
        await sign_as_operator(host, chosen, b"probe")


def _command(host: Host, *words: str, stdin: bytes = b"") -> Command:
    """It never asks anyone, and gets nothing of the environment but the agent."""
    environment = {"PATH": host.environment.get("PATH", ""), "LC_ALL": "C.UTF-8", "SSH_ASKPASS_REQUIRE": "never"}
    if host.ssh_agent:
        environment["SSH_AUTH_SOCK"] = host.ssh_agent
    argv = (*host.tools.ssh_keygen, *words)
    return Command(argv, env=environment, stdin=stdin, timeout=_TIMEOUT)


async def _run(host: Host, *words: str, stdin: bytes = b"") -> Completed:
    return await host.runner.run(_command(host, *words, stdin=stdin))
