"""journalctl for an embedded host: the logs of containers, which stay after their agents have ended.

Supports: -u container@NAME[.service] and -M NAME (several times; a pattern with * matches all), -n N|all, -f,
-S/--since and -U/--until (@SECONDS, YYYY-MM-DD[ HH:MM[:SS[.ffffff]]][ UTC] in UTC, -N[smhd] ago, now),
-p PRIORITY, -r, -q, -a, --no-tail, --no-pager, --utc, -o short|short-unix|short-iso|cat|json, --output-fields=A,B,
--after-cursor=CURSOR.
Lines of several containers are merged by time. JSON is as the real one writes it: a message with control characters
or bytes that are not UTF-8 is a list of bytes, and one above 4096 bytes is null without -a.
Does not support: boots, matches, any other unit, and --grep, for which it has no PCRE2: hivetui searches by itself.
"""

from __future__ import annotations

import json
import re
import select
import sys
import time
from calendar import timegm
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from heapq import merge
from itertools import islice, takewhile
from operator import itemgetter

from hivetui.embedded.journal import Line
from hivetui.embedded.journal_readers import Tail, backward, forward
from hivetui.embedded.layout import Layout

Row = tuple[int, str, Line]  # time, container, line

POLL_SECONDS = 0.2
LONGEST_FIELD = 4096
"""Bytes of a field in JSON without --all (journalctl(1), "json")."""
_FLAGS = {"--no-pager", "-q", "--quiet", "--utc", "-x", "--system", "-m", "--merge", "-e", "--no-hostname"}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LONG = {
    "-u": "--unit",
    "-M": "--machine",
    "-n": "--lines",
    "-o": "--output",
    "-S": "--since",
    "-U": "--until",
    "-p": "--priority",
    "-f": "--follow",
    "-r": "--reverse",
    "-a": "--all",
}
_WITH_VALUE = {
    "--unit",
    "--machine",
    "--output",
    "--since",
    "--until",
    "--priority",
    "--output-fields",
    "--after-cursor",
}
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


class Request:
    """The parsed command line. Raises ValueError with the message of the real journalctl."""

    def __init__(self, layout: Layout, arguments: list[str]) -> None:
        self.patterns: list[str] = []
        self.values: dict[str, str] = {}
        self._read(list(arguments))
        self.follow, self.all = "--follow" in self.values, "--all" in self.values
        self.reverse = "--reverse" in self.values
        self.since = parse_time(self.values["--since"]) if "--since" in self.values else 0
        self.until = parse_time(self.values["--until"]) if "--until" in self.values else None
        self.after = self.values.get("--after-cursor")
        self.priority = _priority(self.values.get("--priority", "7"))
        self.lines = self._count()
        self.containers = self._containers(layout)

    def _read(self, remaining: list[str]) -> None:
        while remaining:
            word = remaining.pop(0)
            if not word.startswith("--") and len(word) > 2 and word[:2] in _LONG:
                remaining.insert(0, word[2:] if _LONG[word[:2]] in _WITH_VALUE | {"--lines"} else "-" + word[2:])
                word = word[:2]
            option, equals, value = word.partition("=")
            option = _LONG.get(option, option)
            if option in _WITH_VALUE or (
                option == "--lines" and remaining and re.fullmatch("all|[0-9]+", remaining[0])
            ):
                self._take(option, value if equals else remaining.pop(0) if remaining else "")
            elif option in ("--follow", "--reverse", "--all", "--no-tail", "--lines"):
                self.values[option] = value or "10"
            elif option not in _FLAGS:
                raise ValueError(f"journalctl: unrecognized option '{word}'")

    def _take(self, option: str, value: str) -> None:
        if option == "--unit":
            self.patterns.append(value if value.endswith((".service", "*")) else f"{value}.service")
        elif option == "--machine":
            self.patterns.append(f"container@{value}.service")
        else:
            self.values[option] = value

    def _count(self) -> int | None:
        """How many of the last lines are shown; None for all."""
        default = "10" if self.follow and "--no-tail" not in self.values else "all"
        written = self.values.get("--lines", default)
        return None if written == "all" else int(written)

    def _containers(self, layout: Layout) -> list[str]:
        known = {path.name for path in layout.journal.iterdir()} if layout.journal.is_dir() else set()
        wanted = {found[1] for name in self.patterns if (found := re.fullmatch(r"container@([\w-]+)\.service", name))}
        matched = {name for name in known if any(fnmatchcase(f"container@{name}.service", p) for p in self.patterns)}
        return sorted(wanted | matched if self.patterns else known)

    def matches(self, line: Line) -> bool:
        """Whether a line is to be shown."""
        return (
            line.time >= self.since
            and (self.until is None or line.time <= self.until)
            and line.priority <= self.priority
        )


def _priority(written: str) -> int:
    word = written.rpartition("..")[2]
    if word in _PRIORITIES:
        return _PRIORITIES.index(word)
    if not re.fullmatch("[0-7]", word):
        raise ValueError(f"Unknown log level {written}")
    return int(word)


def parse_time(written: str) -> int:
    """A time of the command line in µs since the epoch (systemd.time(7), the forms that the engine uses)."""
    text = written.strip()
    if text == "now":
        return time.time_ns() // 1000
    if found := re.fullmatch(r"@([0-9]+)(?:\.([0-9]{1,6})[0-9]*)?", text):
        return int(found[1]) * 1_000_000 + int((found[2] or "0").ljust(6, "0"))
    if found := re.fullmatch(r"-([0-9]+) ?(s|m|min|h|d)(?:ago)?", text):
        seconds = int(found[1]) * {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}[found[2]]
        return time.time_ns() // 1000 - seconds * 1_000_000
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?(?: ?UTC|Z)?", text)
    if not parts:
        raise ValueError(f"Failed to parse timestamp: {written}")
    complete = f"{parts[1]} {parts[2] or '00:00'}:{parts[3] or '00'}"
    seconds = timegm(time.strptime(complete, "%Y-%m-%d %H:%M:%S"))
    return seconds * 1_000_000 + int((parts[4] or "0").ljust(6, "0"))


def main(root: str, arguments: list[str]) -> int:
    """Print the lines that match; the exit status."""
    layout = Layout(root)
    try:
        request = Request(layout, arguments)
        show = _format(request)
    except ValueError as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    tails = {name: Tail(layout.log(name)) for name in request.containers}
    rows = _stored_rows(layout, request, tails)
    written = _print(rows, show)
    if request.follow:
        _follow(layout, request, tails, show)
    elif not written and "-q" not in arguments and "--quiet" not in arguments:
        sys.stderr.write("-- No entries --\n")
    return 0


def _stored_rows(layout: Layout, request: Request, tails: dict[str, Tail]) -> Iterator[Row]:
    """The lines that are stored already, in the order of the output."""
    if request.lines is None and request.after is None and not request.reverse:
        streams = [_matching(name, forward(layout, name, tails[name]), request) for name in request.containers]
        return merge(*streams, key=itemgetter(0))
    newest: Iterator[Row] = merge(
        *(_matching(name, backward(layout, name, tails[name]), request) for name in request.containers),
        key=itemgetter(0),
        reverse=True,
    )
    newest = takewhile(lambda row: _cursor(row) != request.after, newest)
    last = islice(newest, request.lines)
    return last if request.reverse else iter([*last][::-1])


def _matching(container: str, lines: Iterable[Line | None], request: Request) -> Iterator[Row]:
    """The rows to show of a container; what cannot be read of its log is told on stderr, and the others go on."""
    damaged = 0
    try:
        for line in lines:
            if line is None:
                damaged += 1
                continue
            if line.time < request.since and request.lines is not None:
                break  # it is read backwards, so that the others are older still
            if request.matches(line):
                yield line.time, container, line
    except OSError as error:
        sys.stderr.write(f"Failed to read the log of {container}: {error.strerror}\n")
    if damaged:
        sys.stderr.write(f"Log of {container} is damaged, ignoring {damaged} line{'s' * (damaged > 1)}\n")
    sys.stderr.flush()


def _follow(layout: Layout, request: Request, tails: dict[str, Tail], show: Callable[[Row], str]) -> None:
    """Print new lines until killed, or until the reader or the embedded host is gone."""
    while layout.root.exists():
        streams = [[*_matching(name, tail.lines(), request)] for name, tail in tails.items()]
        _print(merge(*streams, key=itemgetter(0)), show)
        _pause(0 if any(streams) else POLL_SECONDS)


def _pause(seconds: float) -> None:
    """Sleep. Raises BrokenPipeError when the reader is gone, which no write shows while there are no lines."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if any(event & select.POLLERR for _, event in poll.poll(int(seconds * 1000))):
        raise BrokenPipeError


def _print(rows: Iterator[Row], show: Callable[[Row], str]) -> int:
    """Write rows in chunks; their number."""
    count, chunk = 0, []
    for row in rows:
        chunk.append(show(row))
        count += 1
        if len(chunk) >= 500:
            _write(chunk)
            chunk = []
    _write(chunk)
    return count


def _write(chunk: list[str]) -> None:
    if chunk:
        sys.stdout.buffer.write("".join(chunk).encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()


def _format(request: Request) -> Callable[[Row], str]:
    style = request.values.get("--output", "short")
    if style == "cat":
        return lambda row: f"{row[2].message}\n"
    if style == "json":
        fields = set(filter(None, request.values.get("--output-fields", "").split(",")))
        return lambda row: _json(row, fields, request.all)
    stamps = {"short": _stamp("%b %d %H:%M:%S"), "short-iso": _stamp("%Y-%m-%dT%H:%M:%S+0000"), "short-unix": _unix}
    if style not in stamps:
        raise ValueError(f"Unknown output '{style}'.")
    stamp = stamps[style]
    return lambda row: f"{stamp(row[0])} {row[1]} {row[2].identifier}: {row[2].message}\n"


def _stamp(pattern: str) -> Callable[[int], str]:
    return lambda at: time.strftime(pattern, time.gmtime(at // 1_000_000))


def _unix(at: int) -> str:
    return f"{at // 1_000_000}.{at % 1_000_000:06d}"


def _json(row: Row, fields: set[str], show_all: bool) -> str:
    at, container, line = row
    values: dict[str, object] = {
        "MESSAGE": _field(line.message, show_all),
        "PRIORITY": str(line.priority),
        "SYSLOG_IDENTIFIER": line.identifier,
        "_SYSTEMD_UNIT": f"container@{container}.service",
    }
    if fields:
        values = {name: value for name, value in values.items() if name in fields}
    values["__CURSOR"] = _cursor(row)
    values["__REALTIME_TIMESTAMP"] = str(at)
    return json.dumps(values, ensure_ascii=False) + "\n"


def _cursor(row: Row) -> str:
    return f"embedded;{row[1]};{row[0]:x}"


def _field(text: str, is_complete: bool) -> object:
    """The value of a field in JSON."""
    if (
        len(text) > LONGEST_FIELD // 4
        and not is_complete
        and len(text.encode("utf-8", "surrogateescape")) > LONGEST_FIELD
    ):
        return None
    return list(text.encode("utf-8", "surrogateescape")) if _UNPRINTABLE.search(text) else text
