"""Requests that carry a token are carried out once, however often they are sent.

Before a request is carried out its token is written down, and afterwards what it led to. If the engine was killed in
between, the hive itself says whether it was done: a decision, a proposal or an operation by the same operator since
then. Only if there is none, the same token carries it out.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hivetui.engine.host import files
from hivetui.engine.model.base import Model
from hivetui.engine.model.errors import BadData, HiveError
from hivetui.wire import errors, frames
from hivetui.wire.frames import Json
from hivetui.wire.verbs import Request

KEPT = timedelta(days=7)
_MAX_TOKENS = 10_000
_FORGET_EVERY = 500
"""Requests after which the old tokens are looked for, which takes time: there are up to twenty times as many."""
FindDone = Callable[[datetime], Awaitable[Json | None]]
"""Finds what a request led to that was begun at this time; None if it was not carried out."""


class TokenRecord(Model):
    """What is kept of one token: the request, when and by whom it was begun, and its answer or error at its end."""

    operator: str
    request: Json
    begun_at: datetime
    answer: Json | None = None
    error: Json | None = None

    @property
    def has_ended(self) -> bool:
        """Whether what the request led to is known."""
        return self.answer is not None or self.error is not None


class Tokens:
    """The tokens of one hive, in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, asyncio.Future[Json]] = {}
        self._begun = itertools.count()

    async def carry_out(
        self, token: str, operator: str, request: Request, act: Callable[[], Awaitable[Json]], find_done: FindDone
    ) -> Json:
        """The answer to a request, which `act` carries out unless that has been done already.

        BadData for a token that another request or operator has used; the error of the request, also the second time.
        """
        if token not in self._running:
            running = asyncio.ensure_future(self._carry_out(token, operator, request, act, find_done))
            self._running[token] = running
            running.add_done_callback(lambda _: self._running.pop(token, None))
        else:
            await asyncio.wait([self._running[token]])
            return await self.carry_out(token, operator, request, act, find_done)  # it is known now
        return await asyncio.shield(running)

    async def _carry_out(
        self, token: str, operator: str, request: Request, act: Callable[[], Awaitable[Json]], find_done: FindDone
    ) -> Json:
        record = self.load(token)
        members = {"verb": request.verb.name, **{k: v for k, v in request.members.items() if k != "token"}}
        members = json.loads(json.dumps(members))
        if record is None:
            record = TokenRecord(operator=operator, request=members, begun_at=datetime.now(UTC))
            await asyncio.to_thread(self._begin, token, record)
        elif record.request != members or record.operator != operator:
            raise BadData("This token belongs to another request", "It can be used once.", "Make a new token.")
        elif record.has_ended:
            return _outcome(record)
        elif (done := await find_done(record.begun_at)) is not None:
            self._store(token, record.model_copy(update={"answer": done}))
            return done
        try:
            answer = await act()
        except HiveError as error:
            self._store(token, record.model_copy(update={"error": errors.to_json(error)}))
            raise
        self._store(token, record.model_copy(update={"answer": answer}))
        return answer

    def load(self, token: str) -> TokenRecord | None:
        """What is known of a token; None for one that was never used."""
        try:
            content = frames.decode(self._path(token).read_bytes())
            return TokenRecord.model_validate(frames.restore_exact_bytes(content))
        except FileNotFoundError:
            return None
        except (BadData, ValueError):  # only a damaged disk makes one: it is replaced atomically
            return None

    def is_running(self, token: str) -> bool:
        """Whether its request is being carried out now."""
        return token in self._running

    def _begin(self, token: str, record: TokenRecord) -> None:
        files.make_directory(self._directory, 0o700)
        self._store(token, record)
        if next(self._begun) % _FORGET_EVERY == 0:
            self._forget_old(record.begun_at)

    def _store(self, token: str, record: TokenRecord) -> None:
        files.replace(self._path(token), frames.encode(record.model_dump(mode="json")), 0o600)

    def _path(self, token: str) -> Path:
        return self._directory / token

    def _forget_old(self, now: datetime) -> None:
        """Remove those that are too old, and the oldest of too many; others may be written and removed meanwhile."""
        stored = sorted((changed, path) for path in self._directory.iterdir() if (changed := _changed_at(path)))
        oldest = (now - KEPT).timestamp()
        for number, (changed, path) in enumerate(stored, 1):
            if changed < oldest or number <= len(stored) - _MAX_TOKENS:
                path.unlink(missing_ok=True)


def _changed_at(path: Path) -> float:
    """When a token was stored; 0 for a file that is being written, or gone by now."""
    try:
        return 0.0 if path.name.startswith(".") else path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _outcome(record: TokenRecord) -> Json:
    if record.error is not None:
        raise errors.from_json(record.error)
    assert record.answer is not None
    return record.answer
