"""What is refused before an operation is made of it: bad names, missing agents and tools, taken ports.

The worker looks again; here it is so that the one who asks is told at once, with the exit status that fits.
"""

from __future__ import annotations

from hivetui.engine.agents import agent_list
from hivetui.engine.containers import conf, ports, units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.host import programs
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.model.errors import BadConfiguration, CommandFailed, Unavailable, WrongUsage
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState

_K = OperationKind
_BUILDS = (_K.SPAWN, _K.REBUILD, _K.DEPLOY, _K.ROLLBACK)
_STARTS = (_K.SPAWN, _K.START, _K.RESTART, _K.REBUILD)
_NEEDS_CONTAINER = (_K.START, _K.STOP, _K.RESTART, _K.REBUILD)
_GONE = (_K.DESTROY, _K.PURGE)


async def check(host: Host, kind: OperationKind, name: str) -> None:
    """Whether this may begin; BadData, NotFound, Unavailable, BadConfiguration or Busy when not."""
    names.check(name)
    if kind not in (*_STARTS, *_NEEDS_CONTAINER, *_GONE):
        raise WrongUsage(
            f"{kind.value} cannot be begun by itself", "It follows from a decision.", "Approve a proposal."
        )
    _check_container(host.paths, kind, name)
    require_tools(host, kind)
    if kind in _STARTS:
        await ports.require_free(host, name, await unit_states(host))


async def check_decision(host: Host, found: Proposal) -> None:
    """Whether what is asked for could be begun, before a pending proposal is claimed for it: a claim has one end."""
    if found.state is not ProposalState.PENDING:
        return
    if found.kind is ProposalKind.SPAWN:
        await check(host, _K.SPAWN, found.agent)
    else:
        await check_deploy(host, found.agent)


async def check_deploy(host: Host, name: str) -> None:
    """Whether another system could be put into this agent: NotFound without a container, Busy for a taken port."""
    _check_container(host.paths, _K.DEPLOY, name)
    require_tools(host, _K.DEPLOY)
    await ports.require_free(host, name, await unit_states(host))


async def unit_states(host: Host) -> dict[str, UnitState]:
    """A sweep of the units by container name; Unavailable when systemd does not answer."""
    try:
        return await units.unit_states(host)
    except CommandFailed as error:
        raise Unavailable("systemd does not answer", error.why, "Look with: hivetui doctor") from error


def _check_container(paths: Paths, kind: OperationKind, name: str) -> None:
    if kind is _K.SPAWN:
        names.check_new(name)
        conf.require_no_container(paths, name)
    elif kind in _GONE:
        agent_list.require_agent(paths, name)
    else:
        agent_list.require_agent(paths, name)
        conf.require_container(paths, name)


def require_tools(host: Host, kind: OperationKind) -> None:
    """Unavailable without the programs that this kind of work runs; BadConfiguration without a base flake."""
    tools = host.tools
    programs.require(host, [tools.nixos_container, tools.systemctl])
    if kind in _BUILDS:
        programs.require(host, [tools.git, tools.nix])
        _require_flake(host)


def _require_flake(host: Host) -> None:
    if host.settings.hive.flake is None and not host.embedded:
        raise BadConfiguration(
            "There is no base flake",
            "Every agent is built on it, and the setting hive.flake is not set.",
            'Write flake = "git+file:///…" under [hive] in /etc/hivetui/config.toml.',
        )
