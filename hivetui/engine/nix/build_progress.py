"""How far a build has come, counted from nix's machine-readable log as nix's own progress bar counts it."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from hivetui.engine.model.progress import BuildProgress, RunningBuild
from hivetui.engine.nix import internal_log as log
from hivetui.engine.nix.internal_log import Event, Result, Started, Stopped

_TRACKED = frozenset(
    (
        *(log.COPY_PATH, log.FILE_TRANSFER, log.COPY_PATHS, log.SUBSTITUTE),
        *(log.BUILDS, log.BUILD, log.POST_BUILD_HOOK, log.BUILD_WAITING),
    )
)
_OTHER = 0
MAX_ACTIVITIES = 1000
"""Of each kind; a builder may start as many downloads as it likes."""
_SHOWN, _ERRORS = 8, 3
_NAME, _PHASE, _ERROR = 120, 40, 400
_STORE_PATH = re.compile(r"/[^\s'\"]*/[0-9a-z]{32}-")


@dataclass
class _Activity:
    """What an activity has reported; `expects` are the amounts that it expects of other kinds."""

    kind: int
    since: datetime
    name: str = ""
    phase: str = ""
    done: int = 0
    expected: int = 0
    running: int = 0
    failed: int = 0
    expects: dict[int, int] = field(default_factory=dict)


class BuildTracker:
    """Takes events and tells the progress. What is kept is bounded, whatever the events are."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._started_at = clock()
        self._ended_at: datetime | None = None
        self._activities: dict[int, _Activity] = {}
        self._counts: Counter[int] = Counter()
        self._done: Counter[int] = Counter()
        self._failed: Counter[int] = Counter()
        self._errors: deque[str] = deque(maxlen=_ERRORS)

    def take(self, event: Event) -> bool:
        """Take the next event; whether it may have changed the progress."""
        match event:
            case Started():
                return self._start(event)
            case Stopped(activity):
                return self._stop(activity)
            case Result():
                return self._take_result(event)
        if log.is_error(event):
            self._take_error(event)
            return True
        return False

    def name_of(self, event: Event) -> str:
        """The name with which nix begins the lines that the builder of an event writes."""
        activity = self._activities.get(event.activity) if isinstance(event, Result) else None
        return log.log_prefix(activity.name) if activity is not None and activity.name else "unnamed"

    def end(self) -> None:
        """Note that nix has ended, and so everything that it did."""
        self._ended_at = self._clock()
        for activity in [*self._activities]:
            self._stop(activity)

    def progress(self) -> BuildProgress:
        """The progress now."""
        builds = self._of_kind(log.BUILD)
        figures = [*self._of_kind(log.BUILDS)]
        built = self._done[log.BUILDS] + sum(one.done for one in figures)
        failed = self._failed[log.BUILDS] + sum(one.failed for one in figures)
        running = [RunningBuild(name=one.name, phase=one.phase, since=one.since) for one in builds]
        building = max(len(running), sum(one.running for one in figures))
        expected = max(sum(one.expected for one in figures), self._expected(log.BUILDS))
        fetched, to_fetch = self._amounts(log.COPY_PATHS)
        downloaded, to_download = self._bytes()
        waits = [one.name for one in self._of_kind(log.BUILD_WAITING) if one.name]
        return BuildProgress(
            started_at=self._started_at,
            ended_at=self._ended_at,
            built=log.clamp(built),
            failed=log.clamp(failed),
            building=log.clamp(building),
            waiting=log.clamp(expected - sum(one.done for one in figures) - building),
            builds=tuple(running[:_SHOWN]),
            fetched=fetched,
            to_fetch=to_fetch,
            fetching=tuple(one.name for one in self._of_kind(log.SUBSTITUTE))[:_SHOWN],
            downloaded=downloaded,
            to_download=to_download,
            waits_for=waits[-1] if waits else None,
            errors=tuple(self._errors),
        )

    def _start(self, event: Started) -> bool:
        kind = event.kind if event.kind in _TRACKED else _OTHER
        if self._counts[kind] >= MAX_ACTIVITIES or event.activity in self._activities:
            return False
        self._counts[kind] += 1
        self._activities[event.activity] = _Activity(kind, self._clock(), _name_of(event)[:_NAME])
        return kind != _OTHER

    def _stop(self, number: int) -> bool:
        activity = self._activities.pop(number, None)
        if activity is None:
            return False
        self._counts[activity.kind] -= 1
        self._done[activity.kind] += activity.done
        self._failed[activity.kind] += activity.failed
        return activity.kind != _OTHER or bool(activity.expects)

    def _take_result(self, event: Result) -> bool:
        activity = self._activities.get(event.activity)
        if activity is None:
            return False
        match event.kind, event.fields:
            case log.SET_PHASE, (str(phase), *_):
                activity.phase = log.first_line(phase, _PHASE)
            case log.PROGRESS, (int(done), int(expected), int(running), int(failed), *_):
                activity.done, activity.expected = log.clamp(done), log.clamp(expected)
                activity.running, activity.failed = log.clamp(running), log.clamp(failed)
                return activity.kind != _OTHER
            case log.SET_EXPECTED, (int(kind), int(expected), *_) if kind in _TRACKED:
                activity.expects[kind] = log.clamp(expected)
            case _:
                return False
        return True

    def _take_error(self, event: Event) -> None:
        assert isinstance(event, log.Message)
        line = _STORE_PATH.sub("", log.first_line(event.raw or event.text, _ERROR))
        if line and line not in self._errors:
            self._errors.append(line)

    def _of_kind(self, kind: int) -> Iterator[_Activity]:
        return (activity for activity in self._activities.values() if activity.kind == kind)

    def _expected(self, kind: int) -> int:
        """How much of a kind other activities expect."""
        return sum(activity.expects.get(kind, 0) for activity in self._activities.values())

    def _bytes(self) -> tuple[int, int]:
        """The bytes that are transferred; of a cache on this machine, from which nothing is, those that are copied."""
        transferred, copied = self._amounts(log.FILE_TRANSFER), self._amounts(log.COPY_PATH)
        return copied if copied[0] and not transferred[0] else transferred

    def _amounts(self, kind: int) -> tuple[int, int]:
        """How much of a kind is done, and how much is to be done in all."""
        running = [*self._of_kind(kind)]
        done = self._done[kind] + sum(one.done for one in running)
        expected = self._done[kind] + sum(max(one.expected, one.done) for one in running)
        return log.clamp(done), log.clamp(max(done, expected, self._expected(kind)))


def _name_of(event: Started) -> str:
    """What is shown of an activity: the name of what is built or fetched, or what nix says that it waits for."""
    path = event.fields[0] if event.fields and isinstance(event.fields[0], str) else ""
    if event.kind in (log.BUILD, log.POST_BUILD_HOOK, log.SUBSTITUTE):
        return log.first_line(log.derivation_name(path), _NAME)
    return _STORE_PATH.sub("", log.first_line(event.text, _NAME)) if event.kind == log.BUILD_WAITING else ""
