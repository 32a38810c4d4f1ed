"""The values that cross every border: between rooms of the engine, to the console, and out as JSON.

They are frozen, and unknown fields are refused. Times are aware and in UTC. Text in them is exact, as it came from
outside: whoever shows it passes it through `text.safe` first. Nothing here reads a file or runs a program.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

SCHEMA = "hivetui/1"


class Model(BaseModel):
    """A frozen value; a field that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentState(StrEnum):
    """What an agent's container does now; `kept` is an agent without a container whose state is kept."""

    RUNNING = "running"
    STOPPED = "stopped"
    STARTING = "starting"
    STOPPING = "stopping"
    FAILED = "failed"
    KEPT = "kept"


class WarningCode(StrEnum):
    """What can be wrong with a hive without anybody having asked for anything."""

    PORT_COLLISION = "port-collision"
    PORT_IN_USE = "port-in-use"
    DRIFT = "drift"
    FOREIGN_CONTAINER = "foreign-container"
    HALF_MADE = "half-made"
    STALE_LOCK = "stale-lock"
    NEEDS_MIGRATION = "needs-migration"


class HiveWarning(Model):
    """A standing warning: which agents, what is the matter, and the command or act that would mend it."""

    code: WarningCode
    agents: tuple[str, ...]
    text: str
    fix: str
    port: int | None = None


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
    places: dict[str, str]
    mounts: tuple[Mount, ...]
    memory_max: str
    cpu_quota: str
    deployments: tuple[Deployment, ...]


class ProposalKind(StrEnum):
    """What a proposal asks for."""

    DEPLOY = "deploy"
    SPAWN = "spawn"
    ROLLBACK = "rollback"


class ProposalState(StrEnum):
    """Where a proposal stands; told by the tags of a repo and by nothing else."""

    PENDING = "pending"
    APPROVED = "approved"
    BUILDING = "building"
    DEPLOYED = "deployed"
    FAILED = "failed"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"


class Severity(StrEnum):
    """How much a finding should worry an operator."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    INFO = "info"


class Finding(Model):
    """What a rule saw in a proposal: its evidence and one sentence why an operator should care."""

    rule: str
    severity: Severity
    file: str | None
    line: int | None
    text: str
    why: str


class FileStatus(StrEnum):
    """What happened to a path between two trees."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    TYPE_CHANGED = "type-changed"


class FileChange(Model):
    """One changed path. `additions` and `deletions` are lines, None for a binary file; sizes are bytes, modes git's.

    A size is None where there is no file on that side. A path that is no UTF-8 has backslash escapes.
    """

    path: str
    old_path: str | None
    status: FileStatus
    additions: int | None
    deletions: int | None
    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str
    old_size: int | None = None
    new_size: int | None = None


class Proposal(Model):
    """A request for a decision. `base` is applied `main` it is compared with; `stale` that main moved since it came."""

    id: int
    kind: ProposalKind
    agent: str
    state: ProposalState
    commit: str | None
    base: str | None
    stale: bool
    title: str
    description: str
    submitted_by: str
    submitted_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str | None = None
    error: str | None = None
    findings: tuple[Finding, ...] = ()
    files: tuple[FileChange, ...] = ()


class Commit(Model):
    """One commit between base and proposal."""

    id: str
    author: str
    authored_at: datetime
    message: str


class DeployedCommit(Model):
    """A deployed commit by the id of its proposal."""

    id: int
    commit: str
    title: str


class Review(Model):
    """All of a review but the difference itself, which is streamed.

    `taken_back` are deployed commits that the proposal does not contain: approving it takes them back. `commits` are
    newest first and at most 200, of `commit_count`.
    """

    proposal: Proposal
    author: str
    authored_at: datetime
    message: str
    commits: tuple[Commit, ...]
    taken_back: tuple[DeployedCommit, ...]
    files: tuple[FileChange, ...]
    commit_count: int = 0


class OperationKind(StrEnum):
    """What lifecycle work an operation does."""

    SPAWN = "spawn"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    REBUILD = "rebuild"
    DESTROY = "destroy"
    PURGE = "purge"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    PREVIEW = "preview"


class OperationState(StrEnum):
    """Where an operation stands; the last four are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self not in (OperationState.QUEUED, OperationState.RUNNING)


class Operator(Model):
    """Who asks. `source` is "local", or the SSH peer and key; `name` the login name (the one behind sudo)."""

    name: str
    uid: int | None
    source: str


class OperationRequest(Model):
    """What a worker is asked to do, whole: it reads nothing else of the one who asked.

    `proposal` for deploy and rollback; `note` and `acknowledged` go with the decision.
    """

    kind: OperationKind
    agent: str
    operator: Operator
    proposal: int | None = None
    note: str = ""


class Operation(Model):
    """One run of lifecycle work, as its record tells it. `error` is the three lines of its failure in one text."""

    id: int
    kind: OperationKind
    agent: str
    proposal: int | None
    state: OperationState
    step: str | None
    started_at: datetime
    ended_at: datetime | None
    operator: str
    error: str | None


class EntryKind(StrEnum):
    """What one entry of an operation's record tells."""

    STATE = "state"
    STEP = "step"
    COMMAND = "command"
    LINE = "line"


WAYS_BACK = frozenset({"put back", "take back"})
"""The steps of an operation that undo what failed."""
FAILED_TOO = "Taking it back failed too"
"""In the error of an operation whose way back failed."""


class Entry(Model):
    """One entry of an operation's record, in the order of its writing.

    `state`: state (and error at an end). `step`: text is the step's name. `command`: argv. `line`: stream is
    "stdout", "stderr" or "engine" (the engine's own talk) and text the line without its end; `cut` counts the
    characters that were dropped from a line that was too long.
    """

    number: int
    time: datetime
    kind: EntryKind
    state: OperationState | None = None
    stream: str | None = None
    text: str = ""
    argv: tuple[str, ...] = ()
    cut: int = 0


class Deployment(Model):
    """One deploy, newest first in every list; `running` marks the one that the agent runs now."""

    id: int
    agent: str
    commit: str
    kind: ProposalKind
    deployed_at: datetime
    operator: str
    note: str
    running: bool


class LogLine(NamedTuple):
    """One line of an agent's log. Cheap on purpose: they come by the hundred thousand."""

    time: datetime
    agent: str
    stream: str
    text: str


class LogQuery(Model):
    """Which lines: of whom, how many of the last, since when (UTC), matching what, and whether to go on."""

    agents: tuple[str, ...]
    follow: bool = False
    lines: int | None = 100
    since: datetime | None = None
    grep: str | None = None


class EventKind(StrEnum):
    """What happened in the hive: facts in the past tense."""

    AGENT_CHANGED = "AgentChanged"
    PROPOSAL_PINNED = "ProposalPinned"
    PROPOSAL_DECIDED = "ProposalDecided"
    PROPOSAL_ENDED = "ProposalEnded"
    OPERATION_STARTED = "OperationStarted"
    OPERATION_CHANGED = "OperationChanged"
    OPERATION_ENDED = "OperationEnded"
    WARNINGS_CHANGED = "WarningsChanged"
    REPAIRED = "Repaired"


class Event(Model):
    """One fact of the hive's event stream and event log; for people and screens, it decides nothing."""

    time: datetime
    kind: EventKind
    agent: str | None = None
    proposal: int | None = None
    operation: int | None = None
    operator: str | None = None
    source: str | None = None
    text: str = ""
    data: dict[str, str] = {}


class Repair(Model):
    """One thing found at a start: what it was, and what was done (or, in a dry run, would be)."""

    agent: str | None
    found: str
    done: str


class Check(Model):
    """One line of `doctor`: what was looked at, whether it is fit, what was found, and what to do if not."""

    name: str
    ok: bool
    found: str
    fix: str


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


class HiveDescription(Model):
    """Which hive this is: its folder or host, and whether it is the embedded one."""

    title: str
    root: str
    embedded: bool
    version: str


AgentDetail.model_rebuild()
