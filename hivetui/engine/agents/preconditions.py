"""What is refused before an operation is started: invalid names, missing agents and programs, taken ports.

The worker checks again. Here it is checked so that the operator is told at once, with the exit status of the reason
and without an operation that failed in the history.
"""

from __future__ import annotations

from hivetui.engine.agents import agent_list
from hivetui.engine.containers import conf, ports, units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.git.untrusted import jail
from hivetui.engine.host import programs
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.model import names
from hivetui.engine.model.errors import BadConfiguration, CommandFailed, Unavailable, WrongUsage
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState

_K = OperationKind
_BUILDS = (_K.SPAWN, _K.REBUILD, _K.DEPLOY, _K.ROLLBACK, _K.PREVIEW)
_STARTS = (_K.SPAWN, _K.START, _K.RESTART, _K.REBUILD)
_NEEDS_CONTAINER = (_K.START, _K.STOP, _K.RESTART, _K.REBUILD)
_REMOVES = (_K.DESTROY, _K.PURGE)


async def check(host: Host, kind: OperationKind, name: str) -> None:
    """Refuse a lifecycle operation that cannot succeed: BadData, NotFound, Unavailable, BadConfiguration or Busy.

    WrongUsage for a kind that follows from a decision.
    """
    names.check(name)
    if kind not in (*_STARTS, *_NEEDS_CONTAINER, *_REMOVES):
        what = f"A {kind.value} cannot be started directly"
        raise WrongUsage(what, "It follows from a decision.", "Approve a proposal: hivetui approve ID")
    _check_container(host.paths, kind, name)
    require_tools(host, kind)
    if kind in _STARTS:
        ports.require_free(name, await unit_states(host))


async def check_decision(host: Host, proposal: Proposal) -> None:
    """Refuse the approval of a pending proposal whose operation could not succeed; errors as for `check`.

    This comes before the claim, since a claimed proposal cannot be approved a second time.
    """
    if proposal.state is not ProposalState.PENDING:
        return
    if proposal.kind is ProposalKind.SPAWN:
        await check(host, _K.SPAWN, proposal.agent)
    else:
        await check_deploy(host, proposal.agent)


async def check_deploy(host: Host, name: str) -> None:
    """Refuse a deploy that could not succeed: NotFound without a container, Busy for a taken port, as for `check`."""
    _check_container(host.paths, _K.DEPLOY, name)
    require_tools(host, _K.DEPLOY)
    ports.require_free(name, await unit_states(host))


async def unit_states(host: Host, source: UnitSource | None = None) -> dict[str, UnitState]:
    """The units by container name, as `source` tells them; Unavailable when systemctl has to, and fails."""
    try:
        return await units.unit_states(host, source)
    except CommandFailed as error:
        raise Unavailable("systemd does not answer", error.why, "Check the host: hivetui doctor") from error


def _check_container(paths: Paths, kind: OperationKind, name: str) -> None:
    if kind is _K.SPAWN:
        names.check_new(name)
        conf.require_no_container(paths, name)
    elif kind in _REMOVES:
        agent_list.require_agent(paths, name)
    else:
        agent_list.require_agent(paths, name)
        conf.require_container(paths, name)


def require_tools(host: Host, kind: OperationKind) -> None:
    """Unavailable without a program that this kind of operation runs; BadConfiguration without a base flake."""
    tools = host.tools
    programs.require(host, [tools.nixos_container, tools.systemctl])
    if kind is _K.SPAWN:
        jail.require(host)
    if kind in _BUILDS:
        programs.require(host, [tools.git, tools.nix])
        _require_flake(host)


def _require_flake(host: Host) -> None:
    if host.settings.hive.flake is None and not host.embedded:
        raise BadConfiguration(
            "No base flake is configured",
            "Every agent is built on it, but the setting hive.flake is not set.",
            'Write flake = "git+file:///…" under [hive] in /etc/hivetui/config.toml.',
        )
