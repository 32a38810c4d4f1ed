"""Who a client is to the engine: its operator, its role, and the hive as it is asked by that operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hivetui import __version__
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.operators import printable_name
from hivetui.engine.model.errors import BadData, NotAllowed, WrongUsage
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.schema import SCHEMA
from hivetui.engine.model.settings import OperatorSection
from hivetui.wire import versions
from hivetui.wire.frames import Json
from hivetui.wire.values import to_json
from hivetui.wire.verbs import VERBS, Request, Role, Verb

_ROLE_FIX = "Ask an operator who may decide, or connect as one."


@dataclass(frozen=True)
class Client:
    """One client, as the engine knows it. What it says of itself can only take rights away.

    The SSH door has no role until it has said for which of `operators`, those of the settings, it speaks.
    """

    operator: Operator
    role: Role | None
    operators: Mapping[str, OperatorSection] | None = None

    def require(self, verb: Verb) -> None:
        """NotAllowed unless this client may use the verb: the one gate that every request of ours goes through."""
        if self.role is None and not self.may_use(verb):
            raise _without_operator()
        if self.role is not None and not self.may_use(verb):
            what = f"{self.operator.name} may not use {verb.name}"
            raise NotAllowed(what, f"The role {self.role.value} reads, and decides or starts nothing.", _ROLE_FIX)

    def may_use(self, verb: Verb) -> bool:
        """Whether the role allows this verb."""
        if self.role is None:
            return verb is VERBS["hello"]
        return self.role is Role.DECIDE or verb.role is Role.LOOK

    def after_hello(self, request: Request) -> Client:
        """The client as it wants to be from now on: with fewer rights, or for root under the login name behind sudo."""
        schema, role = request.members["schema"], request.get("role")
        if not versions.is_spoken(schema):
            raise WrongUsage(
                f"{schema[:40]!r} is not spoken here", f"This engine speaks {SCHEMA}.", "Use a client of it."
            )
        if role not in (None, Role.DECIDE, Role.LOOK):
            raise BadData(
                f"{role[:40]!r} is not a role", "Roles: decide, look.", "Leave it out for the role that you have."
            )
        known = self._speaking_for(request.get("operator")) if self.operators is not None else self
        named = replace(known, operator=known._named(request.get("operator", {})))
        return replace(named, role=Role.LOOK) if role == Role.LOOK else named

    def _speaking_for(self, given: Json | None) -> Client:
        """The client as the operator whom the SSH door let in; for no other from then on."""
        name, source, key = (str((given or {}).get(part, "")) for part in ("name", "source", "key"))
        if not name:
            raise _without_operator()
        section = (self.operators or {}).get(name)
        if section is None or key not in section.fingerprints:
            what = f"{printable_name(name)} is not an operator" if section is None else f"This key is not {name}'s"
            why = "The engine goes by its own settings, [serve.operators], as they were when it started."
            raise NotAllowed(what, why, "After a change of them: systemctl restart hivetui hivetui-door")
        source = f"ssh {printable_name(source)} {key}"
        operator = Operator(name=name, uid=self.operator.uid, source=source, key=key)
        return Client(operator, Role(section.role))

    def _named(self, given: Json) -> Operator:
        name = given.get("name")
        if self.operator.uid != 0 or not isinstance(name, str) or not name:
            return self.operator
        return self.operator.model_copy(update={"name": printable_name(name)})


def _without_operator() -> NotAllowed:
    why = "It speaks for operators, and decides and reads nothing itself."
    return NotAllowed("The user of the SSH door has no role", why, "Use another user, or log in through the door.")


def hello_answer(client: Client, hive: LocalHive, schema: str) -> Json:
    """The answer to hello from a client that speaks `schema`."""
    difference = versions.describe_client(schema)
    return {
        **({} if difference is None else {"messages": [difference]}),
        "schema": SCHEMA,
        "engine": __version__,
        "instance": hive.instance,
        "hive": to_json(hive.description),
        "role": client.role,
        "operator": client.operator.name,
        "verbs": [verb.name for verb in VERBS.values() if client.may_use(verb)],
    }
