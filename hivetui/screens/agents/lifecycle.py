"""Starting lifecycle operations on one agent or several: what is refused, what is asked, and what is started."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hivetui.console.keymap import current_key
from hivetui.console.state import is_foreign
from hivetui.engine.api import Hive
from hivetui.engine.model.acts import describe_consequence
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.screens.base import HiveScreen, OpenRequested
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.spawn import SpawnDialog
from hivetui.screens.dialogs.text import NameDialog

MULTIPLE_ACTIONS = frozenset({"start", "stop", "restart", "rebuild", "destroy", "purge", "logs"})
"""The actions that apply to all marked agents."""
_CONTAINER_ACTIONS = frozenset({"start", "stop", "restart", "rebuild", "destroy"})
_EXCLUSIVE_ACTIONS = _CONTAINER_ACTIONS | {"purge"}
"""The actions that need an agent on which no operation runs."""
_RUNNING_ACTIONS = frozenset({"web", "shell"})
"""The actions that need what runs in the container."""
_AGENT_ACTIONS = MULTIPLE_ACTIONS | _RUNNING_ACTIONS | {"mark", "operation", "history", "review"}


def refusal(action: str, agent: Agent) -> str | None:
    """Why an action makes no sense for this agent, or None."""
    if is_foreign(agent) and action != "mark":
        return f"{agent.name} was not created by hivetui: its container is left alone."
    if action in _EXCLUSIVE_ACTIONS and agent.operation is not None:
        return f"Operation {agent.operation} is running on {agent.name}."
    if action in _CONTAINER_ACTIONS and agent.state is AgentState.KEPT:
        spawn = current_key("agents.spawn")
        return f"{agent.name} has no container; only its data is kept. Press {spawn} to spawn it again."
    if action == "start" and agent.state is AgentState.RUNNING:
        return f"{agent.name} is already running: nothing to do."
    if action in _RUNNING_ACTIONS and agent.state is not AgentState.RUNNING:
        return f"{agent.name} is not running."
    if action == "stop" and agent.state is AgentState.STOPPED:
        return f"{agent.name} is not running: nothing to do."
    return None


def action_obstacle(action: str, agents: Sequence[Agent]) -> str | None:
    """Why an action makes no sense for any of these agents, told of the first; None if it does for at least one."""
    if action not in _AGENT_ACTIONS:
        return None
    if not agents:
        return "No agent is selected."
    if action == "review" and not agents[0].pending:
        return f"{agents[0].name} has no pending proposals."
    refusals = [refusal(action, agent) for agent in agents]
    return refusals[0] if all(refusals) else None


def _question(kind: OperationKind, agents: Sequence[Agent]) -> tuple[list[Agent], str, tuple[str, ...]]:
    """The agents that it can be done to, the question, and its details, which name each agent and each refusal."""
    accepted = [agent for agent in agents if refusal(str(kind), agent) is None]
    refused = [why for agent in agents if (why := refusal(str(kind), agent))]
    names = ", ".join(agent.name for agent in accepted)
    is_one = len(accepted) == 1
    subject = names if is_one else f"{len(accepted)} marked agents"
    details = (*(() if is_one else (names,)), describe_consequence(kind, is_one), *refused)
    return accepted, f"{kind.capitalize()} {subject}?", details


class Lifecycle:
    """Asks over `screen`, then starts operations; `on_started` is called when some were."""

    def __init__(self, screen: HiveScreen, hive: Hive, on_started: Callable[[], None]) -> None:
        self._screen, self._hive, self._on_started = screen, hive, on_started

    def ask(self, kind: OperationKind, agents: Sequence[Agent]) -> None:
        """Ask once for all agents it can be done to, naming each, and say why it cannot be done to the others."""
        accepted, question, details = _question(kind, agents)
        if not accepted:
            return

        def on_answer(yes: bool | None) -> None:
            if yes:
                self.start(kind, accepted)

        self._screen.app.push_screen(ConfirmDialog(question, details, str(kind)), on_answer)

    def ask_purge(self, agents: Sequence[Agent]) -> None:
        """Purge all agents for which that is possible, once the name of each is typed: it cannot be undone."""
        accepted, question, details = _question(OperationKind.PURGE, agents)
        if not accepted:
            return
        names = " ".join(agent.name for agent in accepted)

        def on_answer(typed: str | None) -> None:
            if typed is not None:
                self.start(OperationKind.PURGE, accepted)

        self._screen.app.push_screen(NameDialog(names, question, details), on_answer)

    def ask_spawn(self, agents: tuple[Agent, ...]) -> None:
        """Spawn an agent, once a free name is typed."""

        def on_answer(name: str | None) -> None:
            if name:
                operation = self._hive.begin(OperationKind.SPAWN, name)
                self._screen.run_engine_work(operation, self._screen.open_operation)

        self._screen.app.push_screen(SpawnDialog(self._hive, agents), on_answer)

    def start(self, kind: OperationKind, agents: Iterable[Agent]) -> None:
        """Open the operation of a single agent; several start independently, and each that is refused is reported."""
        names = [agent.name for agent in agents if refusal(str(kind), agent) is None]
        if len(names) == 1:
            self._screen.run_engine_work(self._hive.begin(kind, names[0]), self._screen.open_operation)
        elif names:
            self._screen.run_engine_work(self._start_all(kind, names), self._open_operations)
        self._on_started()

    async def _start_all(self, kind: OperationKind, names: list[str]) -> bool:
        """Whether all could be started."""
        is_complete = True
        for name in names:
            try:
                await self._hive.begin(kind, name)
            except HiveError as error:
                is_complete = False
                self._screen.show_error(type(error)(f"{name}: {error.what}", error.why, error.fix))
        return is_complete

    def _open_operations(self, is_complete: bool) -> None:
        """Open the list, unless an agent was refused: the error is to be read, and the rows show what runs too."""
        if is_complete:
            self._screen.post_message(OpenRequested(self._hive, "operations"))

    def open_latest(self, name: str) -> None:
        """Open the operation that runs on an agent, or the last one that did."""

        def on_loaded(operations: tuple[Operation, ...]) -> None:
            latest = max((one for one in operations if one.agent == name), key=lambda one: one.id, default=None)
            if latest is not None:
                self._screen.open_operation(latest)
            else:
                self._screen.notify(f"No operations on {name} yet.", markup=False)

        self._screen.run_engine_work(self._hive.operations(ended=True), on_loaded)
