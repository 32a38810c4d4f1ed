"""What an operator can do to a hive, and what a mistake costs: the one table of tiers, for verbs and for keys. Pure.

The console asks in a dialog, a verb on a terminal; neither has a list of its own. On the command line the words of
`answer` answer the question beforehand; without a terminal no one can be asked, and a verb does what it says, except
that `purge`, `approve`, `deny` and `rollback` still require their words (interface.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Tier(Enum):
    """What a mistake costs: the action runs at once, or asks first, or requires a name to be typed."""

    IMMEDIATE = "at once"
    ASKS = "asks first"
    TYPED = "name must be typed"


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its tier, and the words of the command line that answer the question; "" where none is asked."""

    tier: Tier = Tier.IMMEDIATE
    answer: str = ""


_AT_ONCE = Act()
_ASKS = Act(Tier.ASKS, "--yes")
ACTS: dict[str, Act] = {
    **dict.fromkeys(("agents", "proposals", "show", "history", "logs", "operations", "operation", "preview"), _AT_ONCE),
    **dict.fromkeys(("warnings", "doctor", "repair", "rules", "verify", "update-base", "engine", "status"), _AT_ONCE),
    **dict.fromkeys(("start", "submit", "request-spawn", "retry", "serve", "mcp", "shell"), _AT_ONCE),
    **dict.fromkeys(("stop", "restart", "rebuild", "destroy", "withdraw", "cancel"), _ASKS),
    "spawn": Act(Tier.ASKS, "NAME"),
    "approve": Act(Tier.ASKS, "--commit SHA --base SHA"),
    "deny": Act(Tier.ASKS, "--note TEXT"),
    "rollback": Act(Tier.ASKS, "--note TEXT"),
    "purge": Act(Tier.TYPED, "--confirm NAME"),
}
"""Every verb that reaches a hive, by name; `purge` is the verb `destroy --purge`. No import is needed for it: the
console's keys are there before the engine is imported."""


def tier_of(act: str) -> Tier:
    """The tier of an act; KeyError for an unknown one."""
    return ACTS[act].tier


_COMMAND = re.compile(rf"\bhivetui(?= (?:demo|{'|'.join(ACTS)})\b)")
"""The name of the program where one of its verbs follows, as advice names a command."""
_CONSEQUENCES = {
    "stop": "{whose} work in progress is lost; notes and credentials are kept.",
    "restart": "{whose} work in progress is lost.",
    "rebuild": "The deployed configuration is built again; {subject} restarted, or started, "
    "only if that is not what runs already.",
    "destroy": "{whose} {containers} removed; repos, credentials and notes are kept.",
    "purge": "{whose} {containers} removed, and repos with all history, credentials and notes are deleted. "
    "This cannot be undone.",
    "spawn": "{whose} {containers} built and started; repos and notes that are kept are used again.",
    "withdraw": "It is closed without a decision, and its commit can be proposed again.",
    "cancel": "The result is that of a failure of its current step.",
}


def describe_consequence(act: str, is_one: bool = True) -> str:
    """What an act that asks first costs one agent, or several; KeyError for an act that has a question of its own."""
    whose, subject, containers = (
        ("Its", "it is", "container is") if is_one else ("Their", "each agent is", "containers are")
    )
    return _CONSEQUENCES[act].format(whose=whose, subject=subject, containers=containers)


def complete_commands(text: str, command: str) -> str:
    """Advice with `command`, which reaches a certain hive, in place of the program's name in each command it names."""
    return _COMMAND.sub(lambda _: command, text)
