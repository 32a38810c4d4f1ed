"""The settings: their shape and defaults. Sections and keys are those of the configuration file.

`host.settings_files` reads files and environment variables into one checked value. Every key here has an effect.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hivetui.engine.model.addresses import parse_address
from hivetui.engine.model.names import problem
from hivetui.engine.model.ssh_keys import fingerprint, key_blob


def _agent_name(name: str) -> str:
    if why := problem(name):
        raise ValueError(why)
    return name


def _memory_size(value: str) -> str:
    """See systemd.resource-control(5), MemoryMax."""
    if not re.fullmatch(r"[1-9][0-9]*[KMGT]?|infinity", value, re.ASCII):
        raise ValueError('a size is "2G", "512M", a number of bytes, or "infinity"')
    return value


def _cpu_quota(value: str) -> str:
    """See systemd.resource-control(5), CPUQuota."""
    if not re.fullmatch(r"[1-9][0-9]*%", value, re.ASCII):
        raise ValueError('a share of one core is "50%", of two "200%"')
    return value


def _host_address(text: str) -> str:
    parse_address(text)
    return text


def _listen_address(text: str) -> str:
    """HOST:PORT without a user; port 0 is a free one."""
    host, _, port = text.rpartition(":")
    is_whole = bool(host) and re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and int(port) <= 65535
    if not is_whole or parse_address(f"{host}:1").user is not None:
        raise ValueError('an address to listen on is "127.0.0.1:2022" or "[::1]:2022"')
    return text


def _operator_name(name: str) -> str:
    """A name that is the same word in SSH, in records and in logs."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9._-]{0,31}", name, re.ASCII):
        raise ValueError("an operator's name has 1 to 32 of the letters A-Z a-z 0-9 . _ - and starts with a letter")
    return name


def _public_key(text: str) -> str:
    key_blob(text)
    return text


def _network(text: str) -> str:
    """An address or a network; one with bits set behind its prefix would mean another one than is written."""
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f'{error}; a network is "192.0.2.0/24", an address "2001:db8::7"') from error
    return text


def _flake(url: str) -> str:
    """Refuse what would end the string literal in flake.nix, or be an option in an argv."""
    if not url or url.startswith("-") or not url.isprintable() or any(sign in url for sign in '"\\$` '):
        raise ValueError("a flake reference has no space, quote, backslash, $ or `, and does not start with -")
    return url


MemorySize = Annotated[str, AfterValidator(_memory_size)]
CpuQuota = Annotated[str, AfterValidator(_cpu_quota)]
FlakeReference = Annotated[str, AfterValidator(_flake)]
HostAddress = Annotated[str, AfterValidator(_host_address)]
AgentName = Annotated[str, AfterValidator(_agent_name)]
ListenAddress = Annotated[str, AfterValidator(_listen_address)]
OperatorName = Annotated[str, AfterValidator(_operator_name)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
Network = Annotated[str, AfterValidator(_network)]


class Section(BaseModel):
    """A table of the file; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class HiveSection(Section):
    """The base flake, and what is passed to agents.

    `flake` None means the embedded hive's own, and is an error on a real host.
    """

    flake: FlakeReference | None = None
    dashboard_port: int = Field(7000, ge=1, le=65535)


class LimitsSection(Section):
    """MemoryMax and CPUQuota of a container, as in systemd.resource-control(5)."""

    memory_max: MemorySize = "2G"
    cpu_quota: CpuQuota = "50%"


class AgentLimits(Section):
    """Limits of one agent; None for those of all agents."""

    memory_max: MemorySize | None = None
    cpu_quota: CpuQuota | None = None


class AgentSection(Section):
    """Settings of one agent."""

    limits: AgentLimits = Field(default_factory=AgentLimits)


class DeploySection(Section):
    """How deploys run. Times are in seconds, except for `keep_output_days`.

    `health_seconds` is how long a started container must stay up, `interrupted` what happens to a deploy that was
    interrupted before its switch.
    """

    health_seconds: int = Field(5, ge=0)
    interrupted: Literal["fail", "resume"] = "fail"
    build_timeout: int = Field(3600, ge=1)
    keep_output_days: int = Field(90, ge=1)


class ProposalsSection(Section):
    """`max_pending` is how many proposals of one agent may be pending."""

    max_pending: int = Field(20, ge=1)


class ReviewSection(Section):
    """What a review looks for.

    `rules` are further files of rules. `silence` has the reason for which a rule is silent, and `severity` the level of
    a rule, both by its id.

    `preview` says when the effect of a proposal is made: never, on request, or always when it is pinned. With
    `require_effect` nothing is approved without a known effect. An evaluation ends after `eval_timeout` seconds and at
    `eval_memory`; of one hive, `preview_jobs` previews run at once.
    """

    preview: Literal["never", "request", "always"] = "request"
    require_effect: bool = False
    eval_timeout: int = Field(120, ge=1)
    eval_memory: MemorySize = "4G"
    preview_jobs: int = Field(1, ge=1)
    rules: tuple[str, ...] = ()
    silence: dict[str, Annotated[str, Field(min_length=1)]] = {}
    severity: dict[str, Literal["forbid", "critical", "high", "medium", "info"]] = {}


class ConsoleSection(Section):
    """How the console looks, and its keys: action id to one key, or several with commas.

    `mouse` says whether the console takes the mouse from the terminal; "auto": unless the terminal is an SSH client.
    `sign_key` is the file of the operator's SSH key, private or, with an agent, public; None: only the host signs.
    """

    theme: str = "hive-dark"
    keys: dict[str, str] = {}
    columns: tuple[str, ...] = ()
    refresh_seconds: float = Field(5.0, ge=0.1)
    log_lines: int = Field(1_000_000, ge=1000)
    mouse: bool | Literal["auto"] = "auto"
    sign_key: str | None = Field(None, min_length=1)


class EngineSection(Section):
    """`service` says who runs the engine: "auto", the service where there is one; "never", always this program."""

    service: Literal["auto", "never"] = "auto"


class SocketSection(Section):
    """Who may use the engine's socket, besides root.

    Members of `group` decide, members of `look_group` read. With `unbound_approve` hyperhive's approve needs neither
    commit nor base.
    """

    group: str = "hive"
    look_group: str = "hive-look"
    unbound_approve: bool = False


class NotifySection(Section):
    """How a console calls a person: by the terminal's bell, and by a notification of the terminal (OSC 9 or 777).

    `osc` True leaves the choice of the sequence to what is known of the terminal; "9" and "777" are always that one.
    """

    bell: bool = True
    osc: bool | Literal["9", "777"] = True


Argv = Annotated[tuple[str, ...], Field(min_length=1)]


class HooksSection(Section):
    """Programs with their arguments that run when something happens, for at most `timeout` seconds."""

    proposal: Argv | None = None
    deployed: Argv | None = None
    failed: Argv | None = None
    died: Argv | None = None
    collision: Argv | None = None
    timeout: int = Field(30, ge=1)

    @property
    def commands(self) -> dict[str, tuple[str, ...]]:
        """The programs by event, those that are set."""
        return {name: argv for name, argv in self if isinstance(argv, tuple)}


class HostSection(Section):
    """A hive elsewhere, which --host names: where to log in, and how its engine is reached there.

    None of `socket` and `command` means the service's socket, else `hivetui engine --stdio`; one alone is the only way.
    """

    address: HostAddress | None = None
    socket: str | None = Field(None, pattern="^/")
    command: tuple[str, ...] | None = Field(None, min_length=1)


class OperatorSection(Section):
    """One operator of the SSH door: what this person may do, whose keys these are, and from where they count.

    Without `from` a key counts from everywhere; without a key nobody logs in.
    """

    model_config = ConfigDict(serialize_by_alias=True)  # workers are given the settings as JSON

    role: Literal["decide", "look"] = "look"
    keys: tuple[PublicKey, ...] = ()
    from_: tuple[Network, ...] = Field((), alias="from")

    @property
    def fingerprints(self) -> frozenset[str]:
        """The fingerprints of the keys."""
        return frozenset(fingerprint(key_blob(key)) for key in self.keys)


class ServeSection(Section):
    """The SSH door. It runs as `user`, who may speak to the engine for the operators and for nobody else.

    A connection has `login_seconds` and `login_attempts` to log in; when `max_logins` wait for that, the oldest is
    closed. At most `max_sessions` consoles are open, and `max_sessions_each` of one operator; one whose operator types
    nothing for `idle_seconds` is closed, with 0 never.
    """

    listen: ListenAddress = "127.0.0.1:2022"
    user: str = Field("hive-door", pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    login_seconds: int = Field(20, ge=1)
    login_attempts: int = Field(3, ge=1)
    max_logins: int = Field(20, ge=1)
    max_sessions: int = Field(20, ge=1, le=50)  # the engine serves 50 connections of one user
    max_sessions_each: int = Field(5, ge=1)
    idle_seconds: int = Field(43200, ge=0)
    operators: dict[OperatorName, OperatorSection] = {}


class Settings(Section):
    """All settings of one process."""

    hive: HiveSection = Field(default_factory=HiveSection)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    agents: dict[AgentName, AgentSection] = {}
    deploy: DeploySection = Field(default_factory=DeploySection)
    proposals: ProposalsSection = Field(default_factory=ProposalsSection)
    review: ReviewSection = Field(default_factory=ReviewSection)
    engine: EngineSection = Field(default_factory=EngineSection)
    socket: SocketSection = Field(default_factory=SocketSection)
    console: ConsoleSection = Field(default_factory=ConsoleSection)
    notify: NotifySection = Field(default_factory=NotifySection)
    hooks: HooksSection = Field(default_factory=HooksSection)
    hosts: dict[str, HostSection] = {}
    serve: ServeSection = Field(default_factory=ServeSection)

    def limits_of(self, name: str) -> LimitsSection:
        """The limits of one agent: its own where it has any, else those of all agents."""
        own = self.agents[name].limits if name in self.agents else AgentLimits()
        return LimitsSection(
            memory_max=own.memory_max or self.limits.memory_max, cpu_quota=own.cpu_quota or self.limits.cpu_quota
        )
