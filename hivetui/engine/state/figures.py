"""Samples of what containers use, taken only while somebody reads them, and shared by all who do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

from hivetui.engine.containers.units import UnitState
from hivetui.engine.host.host import Host
from hivetui.engine.host.usage import Usage, UsageMeter
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.state import Figures

MIN_SECONDS = 2.0
"""The shortest time between two samples."""
_SLICE = 50
"""Containers that are measured before the event loop serves others: about 1 ms."""
_MEMORY_SHARE, _CPU_POINTS = 0.02, 1.0
"""What differs by less than this from what was told is not told again: a person would not see it."""


class FiguresSampler:
    """Measures the running containers among `units()`, through files that stay open until `close`."""

    def __init__(self, host: Host, units: Callable[[], Mapping[str, UnitState]]) -> None:
        self._host, self._units = host, units
        self._meters: dict[str, tuple[int, UsageMeter]] = {}
        """The main process and the meter of each container."""
        self._cpu: dict[str, tuple[float, int]] = {}
        """When each container was measured, and the CPU time that it had used."""
        self._figures: dict[str, Figures] = {}
        self._sampled_at: float | None = None
        self._sampling = asyncio.Lock()

    @property
    def seconds(self) -> float:
        """The time between two samples."""
        return max(MIN_SECONDS, self._host.settings.console.refresh_seconds)

    async def sample(self) -> Mapping[str, Figures]:
        """The figures of each running container, at most `MIN_SECONDS` old."""
        async with self._sampling:
            if self._sampled_at is None or monotonic() - self._sampled_at >= MIN_SECONDS:
                self._figures = await self._measure()
                self._sampled_at = monotonic()
            return self._figures

    def close(self) -> None:
        """Close the files; the next sample opens them again."""
        for container in [*self._meters]:
            self._forget(container)
        self._sampled_at = None

    async def _measure(self) -> dict[str, Figures]:
        running = {
            name: unit.main_pid
            for name, unit in self._units().items()
            if unit.state is AgentState.RUNNING and unit.main_pid is not None
        }
        for container in [name for name, (pid, _) in self._meters.items() if running.get(name) != pid]:
            self._forget(container)
        found = {}
        for number, (container, pid) in enumerate(running.items()):
            with suppress(OSError):  # it has just ended, which the live state will tell
                found[container] = self._figures_of(container, self._read(container, pid))
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        return found

    def _read(self, container: str, pid: int) -> Usage:
        if container not in self._meters:
            self._meters[container] = (pid, self._host.open_meter(f"container@{container}.service", pid))
        try:
            return self._meters[container][1].read()
        except OSError:
            self._forget(container)
            raise

    def _figures_of(self, container: str, usage: Usage) -> Figures:
        now, percent = monotonic(), None
        if usage.cpu_nanoseconds is not None:
            before = self._cpu.get(container)
            self._cpu[container] = (now, usage.cpu_nanoseconds)
            if before is not None and now > before[0]:
                percent = max(0.0, round((usage.cpu_nanoseconds - before[1]) / (now - before[0]) / 1e7, 1))
        return Figures(container=container, memory_bytes=usage.memory_bytes, cpu_percent=percent, tasks=usage.tasks)

    def _forget(self, container: str) -> None:
        self._cpu.pop(container, None)
        if (known := self._meters.pop(container, None)) is not None:
            known[1].close()


def find_news(told: Mapping[str, Figures], sample: Mapping[str, Figures]) -> tuple[Figures, ...]:
    """What differs noticeably from what was told; a container that does not run any more has no figures."""
    changed = [new for name, new in sample.items() if _is_other(told.get(name), new)]
    ended = [
        Figures(container=name) for name, old in told.items() if name not in sample and old != Figures(container=name)
    ]
    return (*changed, *ended)


def _is_other(told: Figures | None, new: Figures) -> bool:
    if told is None or told.tasks != new.tasks:
        return True
    return _differ(told.memory_bytes, new.memory_bytes, _MEMORY_SHARE * (told.memory_bytes or 0)) or _differ(
        told.cpu_percent, new.cpu_percent, _CPU_POINTS
    )


def _differ(told: float | None, new: float | None, tolerance: float) -> bool:
    if told is None or new is None:
        return told is not new
    return abs(told - new) > tolerance
