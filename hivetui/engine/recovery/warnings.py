"""What is wrong with a hive and needs a decision, each warning with the command that fixes it.

To add a warning: add its code to `model.warnings.WarningCode`, write a function here that takes a `Survey` (and an
agent, if it is about one) and yields the warnings, add that function to `_OF_AN_AGENT` or `_OF_THE_HIVE`, its code to
`_ORDER`, and say in `_FIXES` of `screens/warnings.py` what the console's fix key does. A warning is identified by its
code, agents and port; the text identifies one that is about no agent, and must not contain a figure that changes then.

The functions read the survey and files. They change nothing, start no process for an agent, and do not fail because
one agent is damaged: what cannot be read of an agent is a warning too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from hivetui.engine.agents import intent
from hivetui.engine.agents.agent_list import agents_with_containers, known_agents
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import conf, drift, nixos_container, ports, units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.commands import Git
from hivetui.engine.host import programs
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.times import format_date_time
from hivetui.engine.model.warnings import HiveWarning, Repair, WarningCode
from hivetui.engine.records.keeping import unsigned_reason
from hivetui.engine.recovery import migration
from hivetui.engine.review.findings.rule_set import load_rules
from hivetui.engine.verification.verify import last_problems

_RESULTS = {
    "exit-code": "its container ended with an error",
    "signal": "its container was killed",
    "core-dump": "its container crashed",
    "oom-kill": "it ran out of memory",
    "timeout": "its container did not start or stop in time",
    "watchdog": "its container stopped responding",
    "start-limit-hit": "its container was started too often",
    "resources": "the host lacks something that its container needs",
    "protocol": "its container did not report that it had started",
}
"""What systemd's results of a service mean (systemd.exec(5), $SERVICE_RESULT)."""
_MANY_RESTARTS = 3
_SETTLED = timedelta(minutes=5)
"""After this time without a restart, an agent no longer counts as one that restarts again and again."""


@dataclass(frozen=True)
class Survey:
    """What all warnings are derived from, read once."""

    host: Host
    containers: tuple[str, ...]  # every container of the host by its name
    agents: tuple[str, ...]  # the agents that have a container
    states: Mapping[str, UnitState]  # of the units, by the name of the container
    pinned: Mapping[str, str]  # the commit of each agent in meta

    def has_container(self, name: str) -> bool:
        """Whether the agent has a container."""
        return names.container_of(name) in self._container_set

    @cached_property
    def _container_set(self) -> frozenset[str]:
        return frozenset(self.containers)


async def find_warnings(host: Host, states: Mapping[str, UnitState] | None = None) -> tuple[HiveWarning, ...]:
    """Every warning of the hive. `states` are the unit states by the container's name, read here if None."""
    survey = Survey(
        host=host,
        containers=tuple(conf.list_containers(host)),
        agents=agents_with_containers(host),
        states=await units.unit_states(host) if states is None else states,
        pinned=await repository.pinned_commits(host),
    )
    of_agents = (warning for name in known_agents(host) for warning in warnings_of_agent(survey, name))
    return sort_warnings((*warnings_of_hive(survey), *of_agents))


def warnings_of_agent(survey: Survey, name: str) -> tuple[HiveWarning, ...]:
    """The warnings about one agent alone; what is read does not depend on how many others there are."""
    return tuple(warning for find in _OF_AN_AGENT for warning in find(survey, name))


def warnings_of_hive(survey: Survey) -> tuple[HiveWarning, ...]:
    """The warnings about several agents, about what is not an agent, and about meta."""
    return tuple(warning for find in _OF_THE_HIVE for warning in find(survey))


def sort_warnings(warnings: Iterable[HiveWarning]) -> tuple[HiveWarning, ...]:
    """In the order in which they are shown."""
    return tuple(sorted(warnings, key=lambda found: (_ORDER.index(found.code), found.port or 0, found.agents)))


def from_tool_messages(messages: Iterable[str]) -> tuple[HiveWarning, ...]:
    """What a program said of the state of the hive although it did not fail: its answer may lack parts."""
    fix = "See what is wrong with the host: hivetui doctor"
    return tuple(HiveWarning(code=WarningCode.TOOL_MESSAGE, agents=(), text=text, fix=fix) for text in messages)


def of_leftovers(planned: Iterable[Repair]) -> tuple[HiveWarning, ...]:
    """What a repair would do, where nothing is repaired because the hive is only read."""
    return tuple(
        HiveWarning(
            code=WarningCode.UNREPAIRED,
            agents=(found.agent,) if found.agent else (),
            text=f"A crash left this, and nothing is repaired here (read only): {found.found}",
            fix=f"hivetui repair {found.agent}" if found.agent else "hivetui repair",
        )
        for found in planned
    )


def _foreign_containers(survey: Survey) -> Iterator[HiveWarning]:
    for name in survey.containers:
        if names.agent_of(name) is None:
            yield HiveWarning(
                code=WarningCode.FOREIGN_CONTAINER,
                agents=(name,),
                text=f"The container {name} was not created by the engine and is left alone",
                fix=f"Manage it by hand: nixos-container status {name}",
            )


def _port_collisions(survey: Survey) -> Iterator[HiveWarning]:
    for port, sharing in ports.collisions(survey.agents).items():
        free_name = next(iter(ports.free_names(sharing[-1], survey.agents)), "NAME")
        yield HiveWarning(
            code=WarningCode.PORT_COLLISION,
            agents=sharing,
            text=f"{' and '.join(sharing)} have the same port {port}, so only one of them can run",
            fix=f"Run only one of them, or replace one: hivetui spawn {free_name}",
            port=port,
        )


def _ports_in_use(survey: Survey) -> Iterator[HiveWarning]:
    """The ports of agents that are down on which a process listens that belongs to no agent."""
    up = {names.port_of(name) for name in survey.agents if units.is_up(survey.states, name)}
    down = {names.port_of(name): name for name in survey.agents if names.port_of(name) not in up}
    for port, listener in sorted(ports.listeners(set(down)).items()):
        yield HiveWarning(
            code=WarningCode.PORT_IN_USE,
            agents=(down[port],),
            text=f"{listener.text} listens on port {port}, which {down[port]} needs to start",
            fix=f"Stop that process, then: hivetui start {down[port]}",
            port=port,
        )


def _half_made_agent(survey: Survey, name: str) -> Iterator[HiveWarning]:
    if survey.has_container(name) and not _has_system(survey.host, name):
        yield HiveWarning(
            code=WarningCode.HALF_MADE,
            agents=(name,),
            text=f"The container of {name} was created but has no system",
            fix=f"hivetui destroy {name}, then hivetui spawn {name}",
        )


def _failed_agent(survey: Survey, name: str) -> Iterator[HiveWarning]:
    """An agent that died, did not come up, or restarts again and again."""
    if not survey.has_container(name) or not _has_system(survey.host, name):
        return
    unit = units.state_of(survey.states, name)
    if problem := _describe_failure(survey.host, name, unit):
        yield HiveWarning(
            code=WarningCode.AGENT_FAILED, agents=(name,), text=f"{name} {problem}", fix=_fix_of_failure(name, unit)
        )


def _describe_failure(host: Host, name: str, unit: UnitState) -> str | None:
    """What is wrong with an agent that does not run as it should; None for one that runs, starts, or was stopped."""
    at = f" at {format_date_time(unit.changed)} UTC" if unit.changed else ""
    if unit.is_up and unit.restarts >= _MANY_RESTARTS and not _has_settled(host, unit):
        reason = f": {_reason(unit)}" if unit.has_failed else ""
        return f"restarts again and again, {unit.restarts} times so far, last{at}{reason}"
    if unit.is_restarting:
        return f"failed{at}: {_reason(unit)}; it is started again"
    if unit.state is AgentState.FAILED:
        return f"failed{at}: {_reason(unit)}"
    if unit.state is AgentState.STOPPED and intent.read(host.paths, name).wanted is Wanted.RUNNING:
        return f"is meant to run, but its container stopped{at}"
    return None


def _reason(unit: UnitState) -> str:
    return _RESULTS.get(unit.result, f"systemd's result is {unit.result or 'unknown'}")


def _fix_of_failure(name: str, unit: UnitState) -> str:
    why = f"Read why: hivetui logs {name}"
    if unit.result == "oom-kill":
        more = f"Raise memory_max in [agents.{name}.limits] of the settings"
        why = f"{more}, or read what it did: hivetui logs {name}"
    return f"{why}, then end it: hivetui stop {name}" if unit.is_up else f"{why}, then: hivetui start {name}"


def _has_settled(host: Host, unit: UnitState) -> bool:
    return unit.since is not None and host.clock() - unit.since > _SETTLED


def _drift(survey: Survey, name: str) -> Iterator[HiveWarning]:
    if not survey.has_container(name) or not _has_system(survey.host, name):
        return
    if differences := _differences(survey, name):
        yield HiveWarning(
            code=WarningCode.DRIFT,
            agents=(name,),
            text=f"{name} differs from what the engine would configure: {', '.join(differences)}",
            fix=f"hivetui rebuild {name}",
        )


def _differences(survey: Survey, name: str) -> tuple[str, ...]:
    """The files of an agent that differ from what the engine would write, and its commit in meta if that differs."""
    try:
        is_up = units.is_up(survey.states, name)
        differences = [str(path) for path in drift.drifted_files(survey.host, name, is_up)]
    except HiveError as error:
        differences = [error.what]
    main = AppliedRepo(survey.host, name).main()
    if main is not None and survey.pinned.get(name) != main:
        in_meta = survey.pinned.get(name, "no commit")
        differences.append(f"meta has {in_meta[:12]}, deployed is {main[:12]}")
    return tuple(differences)


def _has_system(host: Host, name: str) -> bool:
    return nixos_container.system_of(host, name) is not None


def _repo_of_agent(survey: Survey, name: str) -> Iterator[HiveWarning]:
    """An applied repo of an older layout, or with a stale lock."""
    if not survey.host.paths.applied_of(name).is_dir():
        return
    if migration.needs_migration(survey.host, name):
        yield HiveWarning(
            code=WarningCode.NEEDS_MIGRATION,
            agents=(name,),
            text=AppliedRepo(survey.host, name).layout_refusal().what,
            fix=f"hivetui repair {name}, or hivetui destroy {name} --purge and hivetui spawn {name}",
        )
    elif _has_stale_lock(Git(survey.host, survey.host.paths.applied_git(name))):
        yield HiveWarning(
            code=WarningCode.STALE_LOCK,
            agents=(name,),
            text=f"A killed git process left a lock file in the applied repo of {name}",
            fix=f"hivetui repair {name}",
        )


def _stale_locks_of_meta(survey: Survey) -> Iterator[HiveWarning]:
    if _has_stale_lock(Git(survey.host, survey.host.paths.meta)):
        yield HiveWarning(
            code=WarningCode.STALE_LOCK,
            agents=(),
            text="A killed git process left a lock file in the meta repo",
            fix="hivetui repair",
        )


def _has_stale_lock(git: Git) -> bool:
    """Looks for any lock file first, because telling whether it is stale reads all of /proc."""
    return any(git.git_dir.glob("*.lock")) and bool(git.stale_locks())


def _rules_without_fixtures(survey: Survey) -> Iterator[HiveWarning]:
    """The rules of the configuration of which nobody can say whether they find anything."""
    review = survey.host.settings.review
    if not review.rules:
        return
    rules = load_rules(review)
    for rule in rules.without_fixtures():
        yield HiveWarning(
            code=WarningCode.RULE_WITHOUT_FIXTURE,
            agents=(),
            text=f"The rule {rule.id} in {rules.sources[rule.id]} has no example that it must find, or no near miss",
            fix="Give it fires and silent, then check it: hivetui doctor",
        )


def _records(survey: Survey) -> Iterator[HiveWarning]:
    """What is known of the records of decisions: none is signed here, the newest was not, or they do not fit."""
    host = survey.host
    if programs.find(host, host.tools.ssh_keygen) is None:
        text = "Decisions are recorded without a signature: ssh-keygen is not installed"
        yield _records_warning(text, "Install OpenSSH, then: hivetui doctor")
    elif why := unsigned_reason(host):
        yield _records_warning(f"The newest decision was recorded without a signature: {why}", "hivetui doctor")
    if last_problems(host):
        text = "The history does not fit the records of its decisions"
        yield _records_warning(text, "Read what does not: hivetui verify")


def _records_warning(text: str, fix: str) -> HiveWarning:
    return HiveWarning(code=WarningCode.RECORDS, agents=(), text=text, fix=fix)


_OF_AN_AGENT: tuple[Callable[[Survey, str], Iterator[HiveWarning]], ...] = (
    _failed_agent,
    _half_made_agent,
    _drift,
    _repo_of_agent,
)
_OF_THE_HIVE: tuple[Callable[[Survey], Iterator[HiveWarning]], ...] = (
    _foreign_containers,
    _port_collisions,
    _ports_in_use,
    _stale_locks_of_meta,
    _rules_without_fixtures,
    _records,
)
_ORDER = (
    WarningCode.AGENT_FAILED,
    WarningCode.FOREIGN_CONTAINER,
    WarningCode.PORT_COLLISION,
    WarningCode.PORT_IN_USE,
    WarningCode.HALF_MADE,
    WarningCode.DRIFT,
    WarningCode.NEEDS_MIGRATION,
    WarningCode.STALE_LOCK,
    WarningCode.UNREPAIRED,
    WarningCode.RECORDS,
    WarningCode.RULE_WITHOUT_FIXTURE,
    WarningCode.TOOL_MESSAGE,
)
"""The order in which warnings are shown, by their code."""
