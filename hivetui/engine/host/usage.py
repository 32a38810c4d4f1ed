"""What a container uses of the machine, read from files that are kept open: no process and no path look-up a sample.

On a real host they are those of its control group (cgroups(7), the kernel's cgroup-v2 document), on an embedded one
those of its process (proc(5)).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hivetui.engine.host import procfs

_CGROUPS = Path("/sys/fs/cgroup")
_MAX_BYTES = 4096


@dataclass(frozen=True)
class Usage:
    """Memory in bytes, CPU time in nanoseconds, and how many tasks; what is not accounted is None."""

    memory_bytes: int | None = None
    cpu_nanoseconds: int | None = None
    tasks: int | None = None


class UsageMeter(Protocol):
    """Measures one container for as long as its main process is the same one."""

    def read(self) -> Usage:
        """What it uses now; OSError when it has ended."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


class CgroupMeter:
    """The control group of a unit, which is found by its main process; OSError when that has ended."""

    def __init__(self, unit: str, pid: int) -> None:
        folder = _CGROUPS / _find_group((procfs.PROC / str(pid) / "cgroup").read_text("utf-8", "surrogateescape"), unit)
        self._files = {name: _open(folder / name) for name in ("memory.current", "cpu.stat", "pids.current")}

    def read(self) -> Usage:
        """Three reads."""
        cpu = dict(line.partition(" ")[::2] for line in self._read("cpu.stat").splitlines())
        microseconds = _number(cpu.get("usage_usec", ""))
        return Usage(
            memory_bytes=_number(self._read("memory.current")),
            cpu_nanoseconds=None if microseconds is None else microseconds * 1000,
            tasks=_number(self._read("pids.current")),
        )

    def close(self) -> None:
        """Close the three files."""
        for descriptor in filter(None, self._files.values()):
            os.close(descriptor)
        self._files = dict.fromkeys(self._files)

    def _read(self, name: str) -> str:
        """The text of a file; nothing where the controller is not enabled. ENODEV when the group was removed."""
        descriptor = self._files[name]
        return "" if descriptor is None else os.pread(descriptor, _MAX_BYTES, 0).decode("ascii", "surrogateescape")


class ProcessMeter:
    """One process; OSError when it has ended."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.open(procfs.PROC / str(pid) / "stat", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> Usage:
        """One read; ESRCH when the process has ended."""
        stat = procfs.parse_stat(os.pread(self._descriptor, _MAX_BYTES, 0).decode("utf-8", "surrogateescape"))
        return Usage(
            memory_bytes=stat.resident_pages * os.sysconf("SC_PAGE_SIZE"),
            cpu_nanoseconds=stat.cpu_ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK"),
            tasks=stat.threads,
        )

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _find_group(text: str, unit: str) -> str:
    """The group of a unit in the `/proc/PID/cgroup` of its process, which may be in a group below it."""
    path = next((line.removeprefix("0::/") for line in text.splitlines() if line.startswith("0::/")), "")
    parts = path.split("/")
    if unit not in parts:
        raise ProcessLookupError(f"the process is not in the control group of {unit}")
    return "/".join(parts[: parts.index(unit) + 1])


def _open(path: Path) -> int | None:
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else None
