"""Agents: their rows and details, and advice for a new name."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hivetui.engine.model.base import Model
from hivetui.engine.model.proposals import Deployment
from hivetui.engine.model.warnings import HiveWarning


class AgentState(StrEnum):
    """The state of an agent's container; `kept` is a destroyed agent, whose data is kept."""

    RUNNING = "running"
    STOPPED = "stopped"
    STARTING = "starting"
    STOPPING = "stopping"
    FAILED = "failed"
    KEPT = "kept"


class Agent(Model):
    """One row of the list of agents.

    `deployed` is the id of the proposal that runs (0 for the first system), `pending` the ids of proposals without a
    decision, `operation` the id of the operation that runs now. `cpu_percent` is the share of one core since the
    previous listing, None in the first one; `since` is when the container started.
    """

    name: str
    container: str
    manager: bool
    port: int
    state: AgentState
    deployed: int | None = None
    deployed_commit: str | None = None
    needs_update: bool = False
    pending: tuple[int, ...] = ()
    operation: int | None = None
    memory_bytes: int | None = None
    cpu_percent: float | None = None
    tasks: int | None = None
    since: datetime | None = None
    warnings: tuple[HiveWarning, ...] = ()


class Mount(Model):
    """One bind mount of an agent's container."""

    inside: str
    source: str
    read_only: bool


class AgentDetail(Model):
    """One agent with its paths, mounts, limits and deployments (newest first).

    `memory_max` and `cpu_quota` are as in systemd.resource-control(5). `paths` maps a label to a path.
    """

    agent: Agent
    paths: dict[str, str]
    mounts: tuple[Mount, ...]
    memory_max: str
    cpu_quota: str
    deployments: tuple[Deployment, ...]


class SpawnAdvice(Model):
    """What is known about the name of an agent to spawn.

    `problem` is None for a name that can be used. `shared_with` are agents with the same port, `free_names` similar
    names without a conflict. `listener` is the process that listens on the port, if that is not one of those agents.
    """

    name: str
    container: str | None
    port: int | None
    problem: str | None
    shared_with: tuple[str, ...]
    free_names: tuple[str, ...]
    listener: str | None = None


class BaseUpdate(Model):
    """What an update of the base flake did: its revision before and after, and the agents that are outdated now."""

    old: str
    new: str
    outdated: tuple[str, ...]
