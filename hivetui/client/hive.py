"""The `Hive` protocol over a connection to an engine."""

# size: the protocol is one, since whoever asks a hive asks it through one object; its methods only translate.

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from hivetui.client.connection import Connection, ConnectionLost, answer_in_time
from hivetui.client.signing import FindSigner, sign_statements
from hivetui.client.unix_socket import login_behind_sudo
from hivetui.engine import slow_program, tool_messages
from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent, AgentDetail, BaseUpdate, SpawnAdvice
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.effect import Effect
from hivetui.engine.model.errors import HiveError, Unavailable
from hivetui.engine.model.findings import Assessment, RuleInfo
from hivetui.engine.model.logs import LogLine, LogQuery, journal_of, note_dropped
from hivetui.engine.model.notes import GivenNote, LineNote
from hivetui.engine.model.operations import Entry, Operation, OperationKind
from hivetui.engine.model.proposals import Deployment, Proposal
from hivetui.engine.model.queue import QueuePlace
from hivetui.engine.model.records import Seen, Verification
from hivetui.engine.model.review import Review
from hivetui.engine.model.schema import SCHEMA
from hivetui.engine.model.state import Figures, HiveChange, HiveSnapshot, StateUpdate
from hivetui.engine.model.times import format_iso
from hivetui.engine.model.warnings import Check, HiveWarning, Repair
from hivetui.wire import errors, versions
from hivetui.wire.frames import Json
from hivetui.wire.values import all_from_json, from_json, line_from_json, notes_to_json, to_json

Connect = Callable[[], Awaitable[Connection]]
"""Makes a new connection to the engine; HiveError when there is none."""

RECONNECT_SECONDS = 60.0
"""How long what follows or waits tries to get a lost connection back."""
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 5.0
_SILENT_STREAMS = ("watch", "figures")
"""Streams of which nothing comes while nothing changes, as of a log that is followed: their silence says nothing."""


class OutcomeUnknown(Unavailable):
    """Nothing tells whether a request was carried out."""

    def __init__(self, verb: str, why: str, fix: str) -> None:
        super().__init__(f"Whether `{verb}` was carried out is not known", why, fix)


class NotSent(Unavailable):
    """There was no connection over which a request that acts could be sent."""

    def __init__(self, verb: str, lost: ConnectionLost) -> None:
        fix = "Do it again when the connection is back."
        super().__init__(f"`{verb}` was not sent: the connection to the engine is lost", lost.why, fix)


class RemoteHive:
    """A hive that an engine in another process serves. See `api.Hive` for its methods; any may raise Unavailable.

    A lost connection is made anew for the next request. A request that acts is never sent twice: its token says
    afterwards whether it was carried out.
    """

    def __init__(
        self,
        connect: Connect,
        role: str | None = None,
        host: str | None = None,
        operator: Json | None = None,
        find_signer: FindSigner | None = None,
    ) -> None:
        """`host` is the name of the hive elsewhere that `connect` reaches, as a command line gives it.

        `operator` is the one whom the SSH door let in: `name`, `source` and `key`. `find_signer` finds what signs each
        decision beside the operator's key.
        """
        self._connect, self._role, self._host = connect, role, host
        self._operator, self._find_signer = operator, find_signer
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._hello: Json = {}
        self._told: str | None = None
        self.repairs: tuple[Repair, ...] = ()
        self.repair_error: HiveError | None = None

    async def open(self) -> None:
        """Connect and say hello."""
        await self._connected()

    @property
    def description(self) -> HiveDescription:
        """Which hive this is; known once it was opened."""
        return from_json(HiveDescription, self._hello["hive"]).model_copy(update={"host": self._host})

    @property
    def role(self) -> str:
        """What this client may do: "decide" or "look"."""
        return str(self._hello["role"])

    async def wait_for_repair(self) -> None:
        """Wait until the repair at the start of the engine has ended."""
        answer = await self._ask("repairs")
        self.repairs = all_from_json(Repair, answer["repairs"])
        error = answer["repair_error"]
        self.repair_error = None if error is None else errors.from_json(error)

    async def agents(self) -> tuple[Agent, ...]:
        """Every agent and every other container of the host."""
        return all_from_json(Agent, (await self._ask("agents"))["agents"])

    async def agent(self, name: str) -> AgentDetail:
        """One agent with its paths, mounts, limits and newest deployments."""
        return from_json(AgentDetail, (await self._ask("agent", name=name))["detail"])

    async def page_url(self, agent: str) -> str:
        """Where the web page of an agent is seen from here."""
        connection = await self._connected()
        return names.page_url(await connection.forward(names.port_of(names.check(agent))))

    async def spawn_advice(self, name: str) -> SpawnAdvice:
        """What spawning `name` would lead to."""
        return from_json(SpawnAdvice, (await self._ask("advice", name=name))["advice"])

    async def history(self, agent: str | None = None) -> tuple[Deployment, ...]:
        """Every deployment of one agent or of all, newest first."""
        return all_from_json(Deployment, (await self._ask("history", name=agent))["history"])

    async def proposals(
        self, decided: bool = False, agent: str | None = None, files: bool = False, findings: bool = False
    ) -> tuple[Proposal, ...]:
        """Pending proposals; with `decided`, then all others; with `files` and `findings`, what each changes."""
        answer = await self._ask("proposals", all=decided, agent=agent, files=files, findings=findings)
        return all_from_json(Proposal, answer["proposals"])

    async def queue(self) -> tuple[QueuePlace, ...]:
        """How the pending proposals stand to each other."""
        return all_from_json(QueuePlace, (await self._ask("queue"))["queue"])

    async def review(self, proposal: int, base: str | None = None) -> Review:
        """What an operator reads before deciding, except for the difference."""
        return from_json(Review, (await self._ask("review", proposal=proposal, base=base))["review"])

    async def findings(self, proposal: int, base: str | None = None) -> Assessment:
        """What the rules find in a proposal."""
        return from_json(Assessment, (await self._ask("findings", proposal=proposal, base=base))["assessment"])

    async def effect(self, proposal: int) -> Effect:
        """What a proposal would do, as far as it is known."""
        return from_json(Effect, (await self._ask("effect", proposal=proposal))["effect"])

    async def preview(self, proposal: int) -> Operation:
        """Start the operation that finds out what a pending proposal would do."""
        return await self._start("preview", proposal=proposal)

    async def rules(self) -> tuple[RuleInfo, ...]:
        """The rules in force."""
        return all_from_json(RuleInfo, (await self._ask("rules"))["rules"])

    async def difference(
        self, proposal: int, base: str, context: int = 3, ignore_whitespace: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Stream git's unified diff from `base` to the proposal."""
        frames = self._stream(
            "difference", proposal=proposal, base=base, context=context, ignore_whitespace=ignore_whitespace
        )
        async with aclosing(frames):
            async for frame in frames:
                yield base64.b64decode(frame["data"])

    async def viewed_marks(self, agent: str) -> frozenset[str]:
        """The marks that this operator has set on files of an agent's proposals."""
        return frozenset((await self._ask("viewed", name=agent))["viewed"])

    async def mark_viewed(self, agent: str, mark: str, is_viewed: bool) -> None:
        """Set a mark or remove it."""
        await self._act("mark", name=agent, mark=mark, viewed=is_viewed)

    async def submit(self, agent: str, commit: str | None = None, description: str = "") -> Proposal:
        """Pin a commit of the agent's proposed repo as a new pending proposal."""
        return await self._act_on_proposal("submit", name=agent, commit=commit, message=description)

    async def repropose(self, proposal: int) -> Proposal:
        """Make a new pending proposal of the commit of one that has ended."""
        return await self._act_on_proposal("retry", proposal=proposal)

    async def request_spawn(self, agent: str, description: str = "") -> Proposal:
        """Make a proposal to spawn a new agent."""
        return await self._act_on_proposal("request-spawn", name=agent, message=description)

    async def approve(
        self,
        proposal: int,
        commit: str | None,
        base: str | None,
        note: str = "",
        acknowledged: tuple[str, ...] = (),
        effect: str | None = None,
        seen: Seen | None = None,
        restart: bool = False,
    ) -> Operation:
        """Claim a pending proposal and start the operation that deploys it, or spawns the agent it asks for."""
        reviewed: Json = {"commit": commit, "base": base, "acknowledge": list(acknowledged), "effect": effect}
        if seen is not None and await self._knows("statement"):  # an engine of before knows neither
            reviewed["seen"] = to_json(seen)
        if restart:
            reviewed["restart"] = True
        members = {"proposal": proposal, "note": note, **reviewed}
        return await self._start("approve", **members, **await self._sign("approve", members))

    async def _knows(self, verb: str) -> bool:
        """Whether the engine has this verb."""
        await self._connected()
        return verb in self._hello.get("verbs", ())

    async def notes(self, proposal: int) -> tuple[LineNote, ...]:
        """The notes on lines that this operator keeps for a denial."""
        return all_from_json(LineNote, (await self._ask("notes", proposal=proposal))["lines"])

    async def keep_notes(self, proposal: int, notes: tuple[GivenNote, ...]) -> tuple[LineNote, ...]:
        """Keep these notes on lines until the proposal is decided."""
        answer = await self._act("keep-notes", proposal=proposal, lines=notes_to_json(notes))
        return all_from_json(LineNote, answer["lines"])

    async def deny(self, proposal: int, note: str, lines: tuple[GivenNote, ...] = ()) -> Proposal:
        """Deny a pending proposal."""
        members: Json = {"proposal": proposal, "note": note}
        if lines:
            members["lines"] = notes_to_json(lines)
        return await self._act_on_proposal("deny", **members, **await self._sign("deny", members))

    async def withdraw(self, proposal: int) -> Proposal:
        """Close a pending proposal without a decision."""
        members = {"proposal": proposal}
        return await self._act_on_proposal("withdraw", **members, **await self._sign("withdraw", members))

    async def rollback(self, agent: str, to: int, note: str) -> Operation:
        """Start a deploy, under a new proposal id, of the commit that was deployed as proposal `to`."""
        members = {"name": agent, "to": to, "note": note}
        return await self._start("rollback", **members, **await self._sign("rollback", members))

    async def begin(self, kind: OperationKind, agent: str, wait: bool = False) -> Operation:
        """Start a spawn, start, stop, restart, rebuild, destroy or purge."""
        if kind is OperationKind.PURGE:
            return await self._start("destroy", name=agent, purge=True, confirm=agent)
        return await self._start(kind.value, name=agent, **({"wait": True} if wait else {}))

    async def operations(self, ended: bool = False) -> tuple[Operation, ...]:
        """Running operations, newest first; with `ended`, also those that ended."""
        return all_from_json(Operation, (await self._ask("operations", all=ended))["operations"])

    async def operation(self, operation: int) -> Operation:
        """The current state of one operation; over a new connection when the line was lost."""
        patience = _Patience()
        while True:
            frames = self._stream("operation", operation=operation, output=False)
            try:
                async with aclosing(frames):
                    async for frame in frames:
                        return from_json(Operation, frame["operation"])
                raise ConnectionLost
            except ConnectionLost as lost:
                await patience.wait(lost)

    async def follow(
        self, operation: int, after: int = 0, wait: bool = True
    ) -> AsyncGenerator[tuple[Entry, ...], None]:
        """Stream the entries of an operation's record; over a new connection when the line was lost."""
        patience = _Patience()
        while True:
            frames = self._stream("operation", operation=operation, after=after, follow=wait, output=True)
            try:
                async with aclosing(frames):
                    async for frame in frames:
                        patience.reset()
                        if "entries" in frame:
                            after = frame["seq"]
                            yield all_from_json(Entry, frame["entries"])
                return
            except ConnectionLost as lost:
                await patience.wait(lost)

    async def cancel(self, operation: int) -> None:
        """Ask a running operation to end itself and its child processes."""
        await self._act("cancel", operation=operation)

    async def warnings(self) -> tuple[HiveWarning, ...]:
        """Problems that the hive has now."""
        return all_from_json(HiveWarning, (await self._ask("warnings"))["warnings"])

    async def repair(self, agent: str | None = None, dry_run: bool = False) -> tuple[Repair, ...]:
        """Repair what earlier crashes left behind, of one agent or of all."""
        return all_from_json(Repair, (await self._act("repair", name=agent, dry_run=dry_run))["repairs"])

    async def update_base(self, revision: str | None = None) -> BaseUpdate:
        """Lock the base flake at its newest revision, or at this one."""
        return from_json(BaseUpdate, (await self._act("update-base", to=revision))["base"])

    async def verify(self, agent: str | None = None, signers: str | None = None) -> Verification:
        """Compare the history with the records of its decisions."""
        return from_json(Verification, (await self._ask("verify", name=agent, signers=signers))["verify"])

    async def doctor(self) -> tuple[Check, ...]:
        """Check the host."""
        return all_from_json(Check, (await self._ask("doctor"))["checks"])

    async def logs(self, query: LogQuery) -> AsyncGenerator[list[LogLine], None]:
        """Stream the log lines of some agents; over a new connection, after the last ones, when the line was lost."""
        patience, cursors = _Patience(), {journal_of(cursor): cursor for cursor in query.after}
        while True:
            frames = self._stream("logs", **_members_of(query), cursors=list(cursors.values()))
            try:
                async with aclosing(frames):
                    async for frame in frames:
                        patience.reset()
                        lines = [line_from_json(line) for line in frame["lines"]]
                        cursors |= {journal_of(line.cursor): line.cursor for line in lines if line.cursor}
                        at = lines[0].time if lines else datetime.now(UTC)
                        yield note_dropped(frame["dropped"], at, query.agents) + lines
                return
            except ConnectionLost as lost:
                await patience.wait(lost)
                query = query.model_copy(update={"since": query.since or datetime.now(UTC)})

    async def figures(self) -> AsyncGenerator[tuple[Figures, ...], None]:
        """Stream what the containers use."""
        frames = self._stream("figures")
        async with aclosing(frames):
            async for frame in frames:
                yield all_from_json(Figures, frame["figures"])

    async def watch(self, after: int | None = None, instance: str | None = None) -> AsyncGenerator[StateUpdate, None]:
        """Stream the state of the hive, and from then on its changes."""
        frames = self._stream("watch", after=after, instance=instance)
        async with aclosing(frames):
            async for frame in frames:
                yield _update_from_json(frame)

    async def close(self) -> None:
        """Close the connection. Running operations go on."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is None or self._connection.is_lost:
                if self._connection is not None:
                    await self._connection.close()
                with slow_program.noted(f"{self._engine} has not answered", self):
                    self._connection = await self._say_hello(await self._connect())
                self._tell_of_another_version()
            return self._connection

    async def _say_hello(self, connection: Connection) -> Connection:
        login = login_behind_sudo() if self._host is None else None  # elsewhere it is the login there
        try:
            self._hello = await answer_in_time(
                connection, "hello", schema=SCHEMA, role=self._role, operator=self._operator or login
            )
        except BaseException:
            await connection.close()
            raise
        return connection

    @property
    def _engine(self) -> str:
        """Who has to answer, in a sentence."""
        return "the engine" if self._host is None else self._host

    def _tell_of_another_version(self) -> None:
        """Once of each engine: a service that was updated is another one after the connection was lost."""
        told, self._told = self._told, versions.describe_engine(self._hello)
        if self._told is not None and self._told != told:
            tool_messages.pass_on([self._told])

    async def _ask(self, verb: str, **members: Any) -> Json:
        """The answer to a request that only reads."""
        return await self._request(await self._connected(), verb, **members)

    async def _request(self, connection: Connection, verb: str, **members: Any) -> Json:
        with slow_program.noted(f"{self._engine} has not answered `{verb}`", self, is_act="token" in members):
            answer = await connection.request(verb, **members)
        tool_messages.pass_on(answer.get("messages", ()))
        return answer

    async def _sign(self, decision: str, members: Json) -> Json:
        """The member `signed` of a decision, if its operator signs; nothing is signed but what was asked for."""
        sign = await self._find_signer() if self._find_signer is not None else None
        if sign is None:
            return {}
        await self._connected()
        if "statement" not in self._hello["verbs"]:
            what = "That engine takes no signature of an operator, so nothing was decided"
            raise Unavailable(what, "It is older, or you may not decide.", "Upgrade it, or leave out console.sign_key.")
        answer = await self._ask("statement", decision=decision, **members)
        return {"signed": await sign_statements(answer, decision, str(self._hello["operator"]), members, sign)}

    async def _stream(self, verb: str, **members: Any) -> AsyncGenerator[Json, None]:
        frames = (await self._connected()).stream(verb, **members)
        async with aclosing(frames):
            if verb not in _SILENT_STREAMS and not (verb == "logs" and members["follow"]):
                with slow_program.noted(f"{self._engine} has not answered `{verb}`", self):
                    first = await anext(frames, None)
                if first is None:
                    return
                yield first
            async for frame in frames:
                yield frame

    async def _act(self, verb: str, **members: Any) -> Json:
        """The answer to a request that acts; when the line is lost meanwhile, what became of it is asked for."""
        token = secrets.token_urlsafe(24)
        try:
            connection = await self._connected()
        except ConnectionLost as lost:
            raise NotSent(verb, lost) from lost
        try:
            return await self._request(connection, verb, **members, token=token)
        except ConnectionLost as lost:
            with slow_program.noted(f"the outcome of `{verb}` has been unknown", self, is_act=True):
                return await self._find_outcome(verb, token, lost)

    async def _find_outcome(self, verb: str, token: str, lost: HiveError) -> Json:
        """What a request with this token has led to: its answer, its error, or Unavailable that says what is known."""
        patience = _Patience()
        while True:
            await patience.wait(OutcomeUnknown(verb, lost.why, "Look whether it was done before you do it again."))
            try:
                outcome = (await self._ask("outcome", token=token))["outcome"]
            except Unavailable as error:
                lost = error
                continue
            if outcome["state"] == "done":
                return dict(outcome)
            if "error" in outcome:
                raise errors.from_json(outcome["error"])
            if outcome["state"] == "not done":
                why = "The connection to the engine was lost before."
                raise Unavailable(f"`{verb}` was not carried out", why, "Do it again.")
            if outcome.get("interrupted"):
                why = "The engine ended meanwhile."
                raise OutcomeUnknown(verb, why, "Do it again: that does no harm.")

    async def _act_on_proposal(self, verb: str, **members: Any) -> Proposal:
        return from_json(Proposal, (await self._act(verb, **members))["proposal"])

    async def _start(self, verb: str, **members: Any) -> Operation:
        return from_json(Operation, (await self._act(verb, **members))["operation"])


class _Patience:
    """How long a lost connection is waited for, with longer and longer pauses."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The connection works."""
        self._until, self._pause = time.monotonic() + RECONNECT_SECONDS, _FIRST_PAUSE

    async def wait(self, lost: Unavailable) -> None:
        """Wait before the next attempt; raises `lost` when it took too long."""
        if time.monotonic() >= self._until:
            raise lost
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, _LAST_PAUSE)


def _members_of(query: LogQuery) -> Json:
    return {
        "names": list(query.agents),
        "follow": query.follow,
        "lines": query.lines,
        "all": query.lines is None,
        "since": None if query.since is None else format_iso(query.since, "microseconds"),
        "grep": query.grep,
    }


def _update_from_json(frame: Json) -> StateUpdate:
    snapshot, change = frame.get("snapshot"), frame.get("change")
    return StateUpdate(
        instance=frame["instance"],
        seq=frame["seq"],
        snapshot=None if snapshot is None else _snapshot_from_json(snapshot),
        change=None if change is None else _change_from_json(change),
    )


def _snapshot_from_json(content: Json) -> HiveSnapshot:
    """An older engine does not say what it waits for."""
    return HiveSnapshot(**_lists(content), problem=content["problem"], waits_for=content.get("waits_for", ""))


def _lists(content: Json) -> Json:
    lists: dict[str, Any] = {
        "agents": all_from_json(Agent, content.get("agents", ())),
        "proposals": all_from_json(Proposal, content.get("proposals", ())),
        "operations": all_from_json(Operation, content.get("operations", ())),
    }
    if "warnings" in content:
        lists["warnings"] = all_from_json(HiveWarning, content["warnings"])
    return lists


def _change_from_json(content: Json) -> HiveChange:
    gone = {key: tuple(content[key]) for key in ("agents_gone", "proposals_gone", "operations_gone") if key in content}
    texts = {key: content.get(key) for key in ("problem", "waits_for")}
    return HiveChange(**_lists(content), **gone, **texts)
