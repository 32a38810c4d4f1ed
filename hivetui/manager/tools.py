"""The manager's door as a server of the Model Context Protocol over stdio, by the official SDK (the extra "mcp").

Each tool is one request of the door and can do what that can: propose, ask, withdraw, look. Nothing here decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from hivetui import __version__
from hivetui.manager import client

_INSTRUCTIONS = """\
Propose changes of agents to the operator of this hive, and ask for new agents. A person reads each proposal and
decides; until then nothing changes. Commit the change in the agent's configuration repository first. `status` says
what became of a proposal: a note says why it was denied, and an error why its deploy failed.
"""

Name = Annotated[str, Field(description="the name of the agent: letters, digits, - and _, nine at most")]
Description = Annotated[str, Field(description="for the operator: what it is for, and why")]
ProposalId = Annotated[int, Field(strict=True, ge=0, le=1 << 53, description="the id of the proposal")]
Commit = Annotated[str, Field(description="the hash of the commit; without it, the newest of the branch main")]


class Proposed(BaseModel):
    """The id of the new proposal, and the files that are changed in the repository but not committed on main."""

    id: int
    uncommitted: list[str] = []


class Withdrawn(BaseModel):
    """The id of the proposal that is not pending any more."""

    id: int


class Remark(BaseModel):
    """What the operator says about some lines of a file."""

    file: str
    side: str | None = None
    start: int | None = Field(None, validation_alias="from")
    end: int | None = Field(None, validation_alias="to")
    text: str


class AgentState(BaseModel):
    """An agent and the state of its container."""

    name: str
    state: str


class ProposalState(BaseModel):
    """A proposal of the manager: what became of it, the operator's note and remarks, and the error of its deploy."""

    id: int
    kind: str
    agent: str
    state: str
    commit: str | None = None
    title: str | None = None
    note: str | None = None
    error: str | None = None
    lines: list[Remark] = []


class Status(BaseModel):
    """Every agent, and every proposal of the manager, the pending ones first."""

    agents: list[AgentState]
    proposals: list[ProposalState]


async def propose(agent: Name, description: Description, commit: Commit = "") -> Proposed:
    """Propose that a commit of an agent's configuration is deployed. It is pinned: later commits do not change it."""
    request = {"cmd": "request_apply_commit", "agent": agent, "commit_ref": commit, "description": description}
    return Proposed.model_validate(await _ask(request))


async def request_spawn(name: Name, description: Description) -> Proposed:
    """Ask for a new agent."""
    return Proposed.model_validate(await _ask({"cmd": "request_spawn", "name": name, "description": description}))


async def withdraw(id: ProposalId) -> Withdrawn:  # noqa: A002  (the name that the door has for it)
    """Take back a pending proposal that was made by `propose` or `request_spawn`."""
    return Withdrawn.model_validate(await _ask({"cmd": "withdraw", "id": id}))


async def status() -> Status:
    """The agents of the hive, and what became of the proposals."""
    return Status.model_validate(await _ask({"cmd": "status"}))


Tool = Callable[..., Coroutine[Any, Any, BaseModel]]
TOOLS: tuple[Tool, ...] = (propose, request_spawn, withdraw, status)
_LOOKING = (status,)


def make_server() -> MCPServer:
    """The server with its tools; it serves the handshake of older clients and the protocol of 2026-07-28."""
    server = MCPServer("hivetui", version=__version__, instructions=_INSTRUCTIONS, log_level="WARNING")
    for tool in TOOLS:
        hints = ToolAnnotations(read_only_hint=tool in _LOOKING, destructive_hint=False, open_world_hint=False)
        server.tool(annotations=hints, structured_output=True)(tool)
    return server


def serve() -> None:
    """Serve on stdin and stdout until the end of the input."""
    make_server().run("stdio")


async def _ask(request: dict[str, Any]) -> dict[str, Any]:
    """The answer of the door; ToolError, for the model to read, where there is none or it is a refusal."""
    try:
        answer = await asyncio.to_thread(client.ask, request)
    except client.DoorError as error:
        raise ToolError(str(error)) from error
    if not answer.get("ok"):
        raise ToolError(str(answer.get("error")))
    return answer
