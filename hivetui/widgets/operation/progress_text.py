"""What is shown of the progress of a build, in a few lines. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.model.text import safe
from hivetui.widgets import wording
from hivetui.widgets.operation.steps import format_duration

ProgressTone = Literal["summary", "building", "fetching", "waiting", "error"]
ProgressLine = tuple[ProgressTone, str]

_BUILDS, _FETCHING, _ERRORS = 3, 3, 2
"""So many of each are shown; the log has all."""


def progress_lines(progress: BuildProgress, now: datetime) -> list[ProgressLine]:
    """The counts and times, then what is being built, fetched and waited for, and the last errors. Safe text."""
    errors: list[ProgressLine] = [("error", f"  ✖ {safe(error)}") for error in progress.errors[-_ERRORS:]]
    if progress.ended_at is not None:
        return errors if progress.is_empty else [("summary", _ended_line(progress, progress.ended_at)), *errors]
    lines: list[ProgressLine] = [("summary", _running_line(progress, now))]
    for build in progress.builds[:_BUILDS]:
        lines.append(
            ("building", f"  ▶ {_seconds(build.since, now):>7}  {safe(f'{build.name}  {build.phase}'.rstrip())}")
        )
    if progress.building > _BUILDS:
        lines.append(("building", f"    and {progress.building - _BUILDS} more"))
    if progress.fetching:
        lines.append(("fetching", f"  ↓ {_fetching(progress)}"))
    if progress.waits_for:
        lines.append(("waiting", f"  ◌ {safe(progress.waits_for)}"))
    return [*lines, *errors]


def format_progress(progress: BuildProgress, now: datetime) -> str:
    """The counts and times in one line, "" where there is nothing to say. Safe text."""
    if progress.ended_at is None:
        return _running_line(progress, now)
    return "" if progress.is_empty else _ended_line(progress, progress.ended_at)


def _running_line(progress: BuildProgress, now: datetime) -> str:
    counts = []
    if progress.to_build:
        counts.append(f"{progress.built} of {progress.to_build} built")
        states = (("building", progress.building), ("waiting", progress.waiting), ("failed", progress.failed))
        counts += [f"{count} {state}" for state, count in states if count]
    counts += _downloads(progress, f"{progress.fetched} of {progress.to_fetch} paths")
    time = f"{_seconds(progress.started_at, now)}{_last_time(progress)}"
    return f"{time} · {', '.join(counts) or 'evaluating'}"


def _ended_line(progress: BuildProgress, ended_at: datetime) -> str:
    counts = [f"{progress.built} built"] if progress.to_build else []
    if progress.failed:
        counts.append(f"{progress.failed} failed")
    counts += _downloads(progress, f"{wording.format_count(progress.fetched, 'path')} fetched")
    return f"{', '.join(counts) or 'nothing built'} in {_seconds(progress.started_at, ended_at)}{_last_time(progress)}"


def _downloads(progress: BuildProgress, paths: str) -> list[str]:
    """The paths and bytes that are fetched, as far as there are any."""
    found = [paths] if progress.to_fetch else []
    if progress.to_download:
        done, to_do = wording.format_size(progress.downloaded), wording.format_size(progress.to_download)
        found.append(f"{done} of {to_do}" if progress.ended_at is None else done)
    return found


def _fetching(progress: BuildProgress) -> str:
    shown = ", ".join(map(safe, progress.fetching[:_FETCHING]))
    return shown if len(progress.fetching) <= _FETCHING else f"{shown} …"


def _last_time(progress: BuildProgress) -> str:
    return "" if progress.last_seconds is None else f" (last time {format_duration(progress.last_seconds)})"


def _seconds(start: datetime, end: datetime) -> str:
    return format_duration((end - start).total_seconds())
