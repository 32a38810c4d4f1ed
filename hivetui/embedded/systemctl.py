"""systemctl for an embedded host: what the engine uses of it, for the units container@NAME.service.

Supports: start, stop, restart, reload, reset-failed, daemon-reload, is-active, is-failed, show; unit names with or
without `.service`, and patterns with * (which match loaded units only, as in systemd); --property=A,B and -p,
--value, --timestamp=unix|utc|us|us+utc, --no-pager, --quiet, --no-ask-password, --all.
Output and exit statuses are those of systemd 252. Does not support: any other unit, --no-block, dependencies.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from time import gmtime, strftime

from hivetui.embedded import units
from hivetui.embedded.layout import Layout
from hivetui.embedded.units import Unit
from hivetui.engine.host.procfs import process_stat

_UNIT = re.compile(r"container@([A-Za-z0-9_-]+)(?:\.service)?", re.ASCII)
_IGNORED = {"--no-pager", "--no-ask-password", "--all", "-a", "--plain", "--full", "-l", "--no-legend", "--system"}
NOT_SET = "[not set]"


class Options:
    """The parsed command line. Raises ValueError for an unknown option."""

    def __init__(self, arguments: list[str]) -> None:
        self.words: list[str] = []
        self.properties: set[str] = set()
        self.value = self.quiet = False
        self.timestamp = "pretty"
        rest = iter(arguments)
        for argument in rest:
            self._read(argument, rest)

    def _read(self, argument: str, rest: Iterator[str]) -> None:
        option, equals, value = argument.partition("=")
        if argument.startswith("-p") and not argument.startswith("--"):
            option, value = "--property", argument[2:]
        if option in ("--property", "--timestamp") and not (value or equals):
            value = next(rest, "")
        if option == "--property":
            self.properties.update(filter(None, value.split(",")))
        elif option == "--timestamp":
            self.timestamp = value
        elif argument == "--value":
            self.value = True
        elif argument in ("--quiet", "-q"):
            self.quiet = True
        elif argument.startswith("-") and argument != "--" and argument not in _IGNORED:
            raise ValueError(f"systemctl: unrecognized option '{argument}'")
        elif not argument.startswith("-"):
            self.words.append(argument)


def main(root: str, arguments: list[str]) -> int:
    """Run one command; its exit status."""
    try:
        options = Options(arguments)
    except ValueError as failure:
        return _fail(str(failure), 1)
    verb, *names = options.words or ["list-units"]
    layout = Layout(root)
    if verb == "daemon-reload":
        units.daemon_reload(layout)
        return 0
    if verb not in VERBS:
        return _fail(f"Unknown command verb {verb}. (The embedded systemctl does not support it.)", 1)
    if not names:
        if verb == "show":  # the properties of the manager, of which there are none here
            return 0
        if verb == "reset-failed":
            names = ["*"]
        else:
            return _fail("Too few arguments.", 1)
    containers = []
    for name in names:
        if "*" in name or "?" in name or "[" in name:
            pattern = name if name.endswith((".service", "*")) else f"{name}.service"
            containers += [unit.container for unit in units.loaded(layout) if fnmatchcase(unit.name, pattern)]
        elif found := _UNIT.fullmatch(name):
            containers.append(found[1])
        else:
            return _fail(f"Failed to {verb} {name}: Unit {name} not found.", 5)
    return VERBS[verb](layout, containers, options)


def _fail(text: str, status: int) -> int:
    sys.stderr.write(text + "\n")
    return status


def _start(layout: Layout, containers: list[str], _options: Options) -> int:
    failed = [name for name in containers if not units.start(layout, name)]
    for name in failed:
        unit = f"container@{name}.service"
        _fail(
            f"Job for {unit} failed because the control process exited with error code.\n"
            f'See "systemctl status {unit}" and "journalctl -xeu {unit}" for details.',
            1,
        )
    return 1 if failed else 0


def _stop(layout: Layout, containers: list[str], _options: Options) -> int:
    for name in containers:
        units.stop(layout, name)
    return 0


def _restart(layout: Layout, containers: list[str], options: Options) -> int:
    _stop(layout, containers, options)
    return _start(layout, containers, options)


def _reload(layout: Layout, containers: list[str], _options: Options) -> int:
    from signal import SIGHUP

    for name in containers:
        unit = units.read(layout, name)
        if unit.active != "active":
            return _fail(f"Job type reload is not applicable for unit {unit.name}.", 1)
        os.kill(unit.pid, SIGHUP)
    return 0


def _reset_failed(layout: Layout, containers: list[str], _options: Options) -> int:
    for name in containers:
        units.reset_failed(layout, name)
    return 0


def _is_active(layout: Layout, containers: list[str], options: Options) -> int:
    return _states(layout, containers, options, "active")


def _is_failed(layout: Layout, containers: list[str], options: Options) -> int:
    return _states(layout, containers, options, "failed")


def _states(layout: Layout, containers: list[str], options: Options, state: str) -> int:
    states = [units.read(layout, name).active for name in containers]
    if not options.quiet:
        print("\n".join(states))
    if state in states:
        return 0
    return 3 if state == "active" else 1


def _show(layout: Layout, containers: list[str], options: Options) -> int:
    blocks = []
    for name in containers:
        values = properties(layout, units.read(layout, name), options.timestamp)
        chosen = {key: value for key, value in values.items() if not options.properties or key in options.properties}
        blocks.append("".join(f"{value}\n" if options.value else f"{key}={value}\n" for key, value in chosen.items()))
    sys.stdout.write("\n".join(blocks))
    return 0


VERBS = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "reload": _reload,
    "reset-failed": _reset_failed,
    "is-active": _is_active,
    "is-failed": _is_failed,
    "show": _show,
}


def properties(layout: Layout, unit: Unit, timestamp: str) -> dict[str, str]:
    """The properties of a unit as `systemctl show` prints them."""
    memory, cpu, tasks = _usage(unit)
    return {
        "Type": "notify",
        "Restart": "on-failure",
        "MainPID": str(unit.pid if unit.active == "active" else 0),
        "Result": unit.result,
        "NRestarts": str(unit.restarts),
        "ExecMainStatus": "1" if unit.result == "exit-code" else "0",
        "MemoryCurrent": memory,
        "CPUUsageNSec": cpu,
        "TasksCurrent": tasks,
        "MemoryMax": _bytes(unit.memory_max),
        "CPUQuotaPerSecUSec": _quota(unit.cpu_quota),
        "Id": unit.name,
        "Names": unit.name,
        "Description": f"Container '{unit.container}'",
        "LoadState": "loaded",
        "ActiveState": unit.active,
        "SubState": unit.sub,
        "DropInPaths": " ".join(map(str, layout.drop_ins(unit.container))),
        "StateChangeTimestamp": _time(unit.changed, timestamp),
        "ActiveEnterTimestamp": _time(unit.entered, timestamp),
        "InactiveEnterTimestamp": _time(unit.left, timestamp),
        "InvocationID": unit.invocation,
    }


def _usage(unit: Unit) -> tuple[str, str, str]:
    """Memory in bytes, CPU time in ns and tasks of the unit's process, from /proc (proc(5))."""
    stat = process_stat(unit.pid) if unit.active == "active" else None
    if stat is None or not stat.is_running:
        return NOT_SET, NOT_SET, NOT_SET
    memory = stat.resident_pages * os.sysconf("SC_PAGE_SIZE")
    return str(memory), str(stat.cpu_ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")), str(stat.threads)


def _bytes(written: str) -> str:
    """MemoryMax as systemd shows it: bytes or infinity."""
    size = units.size_in_bytes(written)
    return "infinity" if size is None else str(size)


def _quota(written: str) -> str:
    """CPUQuota as systemd shows it: a time a second (50% is 500ms, 150% is 1s 500ms), or infinity."""
    found = re.fullmatch(r"([0-9]+)%", written)
    if not found:
        return "infinity"
    seconds, rest = divmod(int(found[1]), 100)
    minutes, seconds = divmod(seconds, 60)
    parts = ((minutes, "min"), (seconds, "s"), (rest * 10, "ms"))
    return " ".join(f"{amount}{unit}" for amount, unit in parts if amount) or "0"


def _time(at: int, style: str) -> str:
    """A timestamp in one of systemd's styles; empty for never."""
    if not at:
        return ""
    if style == "unix":
        return f"@{at // 1_000_000}"
    fraction = f".{at % 1_000_000:06d}" if style.startswith("us") else ""
    return strftime("%a %Y-%m-%d %H:%M:%S", gmtime(at // 1_000_000)) + fraction + " UTC"
