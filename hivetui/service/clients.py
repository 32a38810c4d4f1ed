"""Who a client is to the engine: its operator, its role, and the hive as it is asked by that operator."""

from __future__ import annotations

from dataclasses import dataclass

from hivetui import __version__
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.operators import printable_name
from hivetui.engine.model.base import SCHEMA
from hivetui.engine.model.errors import BadData, NotAllowed, WrongUsage
from hivetui.engine.model.operations import Operator
from hivetui.wire.frames import Json
from hivetui.wire.values import to_json
from hivetui.wire.verbs import VERBS, Request, Role, Verb

_ROLE_FIX = "Ask an operator who may decide, or connect as one."


@dataclass(frozen=True)
class Client:
    """One client, as the engine knows it. What it says of itself can only take rights away."""

    operator: Operator
    role: Role

    def require(self, verb: Verb) -> None:
        """NotAllowed unless this client may use the verb: the one gate that every request of ours goes through."""
        if not self.may_use(verb):
            what = f"{self.operator.name} may not use {verb.name}"
            raise NotAllowed(what, f"The role {self.role.value} reads, and decides or starts nothing.", _ROLE_FIX)

    def may_use(self, verb: Verb) -> bool:
        """Whether the role allows this verb."""
        return self.role is Role.DECIDE or verb.role is Role.LOOK

    def after_hello(self, request: Request) -> Client:
        """The client as it wants to be from now on: with fewer rights, or for root under the login name behind sudo."""
        schema, role = request.members["schema"], request.get("role", self.role.value)
        if not schema.startswith("hivetui/"):
            raise WrongUsage(
                f"{schema[:40]!r} is not spoken here", f"This engine speaks {SCHEMA}.", "Use a client of it."
            )
        if role not in (Role.DECIDE, Role.LOOK):
            raise BadData(
                f"{role[:40]!r} is not a role", "Roles: decide, look.", "Leave it out for the role that you have."
            )
        return Client(self._named(request.get("operator", {})), Role.LOOK if role == Role.LOOK else self.role)

    def _named(self, given: Json) -> Operator:
        name = given.get("name")
        if self.operator.uid != 0 or not isinstance(name, str) or not name:
            return self.operator
        return self.operator.model_copy(update={"name": printable_name(name)})


def hello_answer(client: Client, hive: LocalHive) -> Json:
    """The answer to hello."""
    return {
        "schema": SCHEMA,
        "engine": __version__,
        "instance": hive.instance,
        "hive": to_json(hive.description),
        "role": client.role.value,
        "operator": client.operator.name,
        "verbs": [verb.name for verb in VERBS.values() if client.may_use(verb)],
    }
