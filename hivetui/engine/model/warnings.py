"""Warnings about a hive, repairs of it, and the checks of `doctor`."""

from __future__ import annotations

from enum import StrEnum

from hivetui.engine.model.base import Model


class WarningCode(StrEnum):
    """What can be wrong with a hive."""

    PORT_COLLISION = "port-collision"
    PORT_IN_USE = "port-in-use"
    DRIFT = "drift"
    FOREIGN_CONTAINER = "foreign-container"
    HALF_MADE = "half-made"
    STALE_LOCK = "stale-lock"
    NEEDS_MIGRATION = "needs-migration"
    AGENT_FAILED = "agent-failed"
    TOOL_MESSAGE = "tool-message"
    RULE_WITHOUT_FIXTURE = "rule-without-fixture"
    RECORDS = "records"
    UNREPAIRED = "unrepaired"


RULES_CHECK = "rules"
"""The name of the check that runs the fixtures of the rules."""


class HiveWarning(Model):
    """A warning that stays until its cause is gone.

    `text` says what is wrong, `fix` which command or action would correct it; `port` is set where it is about a port.
    """

    code: WarningCode
    agents: tuple[str, ...]
    text: str
    fix: str
    port: int | None = None


class Repair(Model):
    """One inconsistency: what was `found`, and what was `done` about it (in a dry run, what would be)."""

    agent: str | None
    found: str
    done: str


class Check(Model):
    """One check of `doctor`: its name, whether it passed, what was found, and what to do if it failed."""

    name: str
    ok: bool
    found: str
    fix: str
