"""The hive that an engine serves, with what all its clients share."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Coroutine
from typing import Any

from hivetui.engine.hive import LocalHive
from hivetui.engine.host import files
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.records import GivenSignatures
from hivetui.service import requests, statements
from hivetui.service.clients import Client
from hivetui.service.hooks import Hooks
from hivetui.service.manager_door import ManagerDoor
from hivetui.service.requests import DoneSearch
from hivetui.service.tokens import Tokens
from hivetui.wire import errors, verbs
from hivetui.wire.frames import Json
from hivetui.wire.values import to_json
from hivetui.wire.verbs import Request, Role

_CLOSE_SECONDS = 5.0


class HiveService:
    """One hive and its shared parts. The repair of opening runs beside the first requests.

    A hive with the role "look" is not repaired; nor is there a door for its manager, and no hook runs.
    """

    def __init__(self, hive: LocalHive) -> None:
        self.hive = hive
        self._tokens = Tokens(hive.host.paths.tokens)
        self._repairing = asyncio.ensure_future(hive.repair_at_start())
        parts = (ManagerDoor(hive), Hooks(hive)) if hive.role == Role.DECIDE else ()
        self._beside = [asyncio.ensure_future(part.run()) for part in parts]
        self._acting: set[asyncio.Future[Json]] = set()

    async def answer(self, hive: LocalHive, client: Client, request: Request) -> Json:
        """The members of the answer to a request with one answer."""
        if request.verb.name == "outcome":
            return {"outcome": await self._outcome(hive, client, request.members["token"])}
        if request.verb.name == "repairs":
            return await self._repairs()
        if not request.verb.acts:
            return await requests.answer(hive, request)
        return await self.finish(self._act(hive, client.operator.name, request))

    async def finish(self, act: Coroutine[Any, Any, Json]) -> Json:
        """Carry out what acts on the hive; a client that leaves meanwhile does not stop it half way."""
        acting = asyncio.ensure_future(act)
        self._acting.add(acting)
        acting.add_done_callback(self._acting.discard)
        return await asyncio.shield(acting)

    async def _act(self, hive: LocalHive, operator: str, request: Request) -> Json:
        if request.verb.name == "statement":
            return await statements.state(hive, request)
        if (signed := request.get("signed")) is not None:
            hive = hive.with_signatures(GivenSignatures.model_validate(signed))
        token = request.get("token")
        if token is None:
            return await requests.answer(hive, request)
        search = DoneSearch(hive, request, operator)
        return await self._tokens.carry_out(
            token, operator, request, lambda: requests.answer(hive, request), search.find
        )

    async def _repairs(self) -> Json:
        await asyncio.shield(self._repairing)
        error = self.hive.repair_error
        return {
            "repairs": [to_json(repair) for repair in self.hive.repairs],
            "repair_error": None if error is None else errors.to_json(error),
        }

    async def _outcome(self, hive: LocalHive, client: Client, token: str) -> Json:
        """What a token has led to: done, not done, or unknown while that is not over, or for ever."""
        if self._tokens.is_running(token):  # before its record is looked for, which may be about to be written
            return {"state": "unknown"}
        record = self._tokens.load(token)
        if record is None or record.operator != client.operator.name:
            return {"state": "not done"}
        if record.error is not None:
            return {"state": "not done", "error": record.error}
        if record.answer is not None:
            return {"state": "done", **record.answer}
        verb = verbs.find_verb(record.request)
        request = verbs.parse_request(record.request, verb, 0)
        search = DoneSearch(hive, request, record.operator)
        if not search.can_tell:
            return {"state": "unknown", "interrupted": True}
        done = await search.find(record.begun_at)
        return {"state": "not done"} if done is None else {"state": "done", **done}

    @staticmethod
    def log_bug(bug: BaseException) -> HiveError:
        """Write the traceback of a bug to the log of this process; what its client is told."""
        traceback.print_exception(bug, file=sys.stderr)
        if isinstance(bug, OSError) and (error := files.describe_unusable_file(bug)) is not None:
            return error
        return HiveError("The engine failed", f"{type(bug).__name__}; its log has the details.", "Report it.")

    async def close(self) -> None:
        """Carry out what was begun, and stop watching the hive; running operations go on.

        What waits for an operation or an agent is not waited for: it ends as with a kill.
        """
        self._repairing.cancel()
        for beside in self._beside:
            beside.cancel()
        if self._acting:
            await asyncio.wait(self._acting, timeout=_CLOSE_SECONDS)
        for acting in self._acting:
            acting.cancel()
        await asyncio.gather(self._repairing, *self._beside, *self._acting, return_exceptions=True)
        await self.hive.close()
