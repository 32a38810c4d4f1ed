"""Agents as rows and in detail, and what spawning one would mean."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hivetui.engine.model.base import Model
from hivetui.engine.model.proposals import Deployment
from hivetui.engine.model.warnings import HiveWarning


class AgentState(StrEnum):
    """What an agent's container does now; `kept` is an agent without a container whose state is kept."""

    RUNNING = "running"
    STOPPED = "stopped"
    STARTING = "starting"
    STOPPING = "stopping"
    FAILED = "failed"
    KEPT = "kept"


class Agent(Model):
    """One row of the hive.

    `deployed` is the id of the proposal that runs (0 for the first system), `pending` the ids that wait for a
    decision, `operation` the id of the one that runs now. `cpu_percent` is of one core since the last sweep, None on
    the first; `since` is when the container came up.
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
    """What the detail of one agent shows besides its row."""

    agent: Agent
    paths: dict[str, str]
    mounts: tuple[Mount, ...]
    memory_max: str
    cpu_quota: str
    deployments: tuple[Deployment, ...]


class SpawnAdvice(Model):
    """What the spawn dialog tells while a name is typed. `problem` is None for a name that can be had.

    `listener` tells which process listens on the port, when that is no agent that shares it.
    """

    name: str
    container: str | None
    port: int | None
    problem: str | None
    shared_with: tuple[str, ...]
    free_names: tuple[str, ...]
    listener: str | None = None
