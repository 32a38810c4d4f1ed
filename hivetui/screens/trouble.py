"""What keeps a screen from being up to date, in words: a line that is lost, or what is waited for."""

from __future__ import annotations

from datetime import datetime

from hivetui.console.state import HiveState
from hivetui.engine import slow_program
from hivetui.engine.api import Hive
from hivetui.engine.model.times import format_time


def describe_wait(state: HiveState, hive: Hive) -> str:
    """What is waited for and takes long, by the engine or by the console for the engine; "" for nothing."""
    return state.waits_for or slow_program.describe_slow_program(hive) or ""


def format_lost_at(state: HiveState, now: datetime) -> str:
    """Since when the line is lost, in the zone of this host; "" while it is not."""
    return format_time(state.lost_at, now, None, seconds=False) if state.lost_at else ""


def format_trouble(state: HiveState, hive: Hive, now: datetime) -> str:
    """Why the lists are older, or what is waited for in something else; "" when all is well."""
    waits_for = describe_wait(state, hive)
    if not state.problem:
        return f"◌ waiting: {waits_for} " if waits_for else ""
    if state.lost_at is None or not state.loaded:
        return f"▲ outdated: {state.problem} "
    if waits_for:  # perhaps for what became of an act, which matters more than why the line is lost
        return f"▲ outdated: {waits_for} "
    return f"▲ outdated since {format_lost_at(state, now)}: {state.problem} "
