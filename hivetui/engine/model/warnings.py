"""What is wrong with a hive, what was repaired, and what `doctor` found."""

from __future__ import annotations

from enum import StrEnum

from hivetui.engine.model.base import Model


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
