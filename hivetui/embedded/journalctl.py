"""journalctl for an embedded host: the logs of containers, which stay readable after their agents have ended.

Plays: -u container@NAME[.service] and -M NAME (both several times; a pattern with * takes every log), -n N|all, -f,
-S/--since and -U/--until (@SECONDS, YYYY-MM-DD[ HH:MM[:SS[.ffffff]]][ UTC] in UTC, -N[smhd] ago, now), -g REGEX,
-p PRIORITY, -r, -q, -a, --no-tail, --no-pager, --utc, -o short|short-unix|short-iso|cat|json, --output-fields=A,B.
Lines of several containers are merged by time. JSON is as the real one writes it: a message with control characters
or bytes that are not UTF-8 is a list of bytes, and one above 4096 bytes is null without -a.
Does not play: cursors, boots, matches, any other unit.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from calendar import timegm
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from heapq import merge
from operator import itemgetter
from pathlib import Path

from hivetui.embedded import journal
from hivetui.embedded.journal import Line
from hivetui.embedded.layout import Layout

Row = tuple[int, str, Line]  # time, container, line

CHUNK = 1 << 20
POLL_SECONDS = 0.2
LONGEST = 4096  # bytes of a field in JSON without --all (journalctl(1), "json")
_FLAGS = {"--no-pager", "-q", "--quiet", "--utc", "-x", "--system", "-m", "--merge", "-e", "--no-hostname"}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LONG = {
    "-u": "--unit",
    "-M": "--machine",
    "-n": "--lines",
    "-o": "--output",
    "-S": "--since",
    "-U": "--until",
    "-g": "--grep",
    "-p": "--priority",
    "-f": "--follow",
    "-r": "--reverse",
    "-a": "--all",
}
_TAKES = {"--unit", "--machine", "--output", "--since", "--until", "--grep", "--priority", "--output-fields"}
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


class Request:
    """The command line, read. Raises ValueError in words."""

    def __init__(self, layout: Layout, arguments: list[str]) -> None:
        self.patterns: list[str] = []
        self.values: dict[str, str] = {}
        self._read(list(arguments))
        self.follow, self.all = "--follow" in self.values, "--all" in self.values
        implied = "--grep" in self.values and "--lines" in self.values and not self.follow
        self.reverse = "--reverse" in self.values or implied  # journalctl(1), "--grep"
        self.since = moment(self.values["--since"]) if "--since" in self.values else 0
        self.until = moment(self.values["--until"]) if "--until" in self.values else None
        self.grep = _regex(self.values.get("--grep"))
        self.priority = _priority(self.values.get("--priority", "7"))
        self.lines = self._count()
        self.containers = self._containers(layout)

    def _read(self, rest: list[str]) -> None:
        while rest:
            word = rest.pop(0)
            if not word.startswith("--") and len(word) > 2 and word[:2] in _LONG:
                rest.insert(0, word[2:] if _LONG[word[:2]] in _TAKES | {"--lines"} else "-" + word[2:])
                word = word[:2]
            option, equals, value = word.partition("=")
            option = _LONG.get(option, option)
            if option in _TAKES or (option == "--lines" and rest and re.fullmatch("all|[0-9]+", rest[0])):
                self._take(option, value if equals else rest.pop(0) if rest else "")
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
        """How many of the last lines; None for all of them."""
        default = "10" if self.follow and "--no-tail" not in self.values else "all"
        written = self.values.get("--lines", default)
        return None if written == "all" else int(written)

    def _containers(self, layout: Layout) -> list[str]:
        known = {path.name for path in layout.journal.iterdir()}
        wanted = {found[1] for name in self.patterns if (found := re.fullmatch(r"container@([\w-]+)\.service", name))}
        matched = {name for name in known if any(fnmatchcase(f"container@{name}.service", p) for p in self.patterns)}
        return sorted(wanted | matched if self.patterns else known)

    def takes(self, line: Line) -> bool:
        """Whether a line is one of those asked for."""
        return (
            line.time >= self.since
            and (self.until is None or line.time <= self.until)
            and line.priority <= self.priority
            and (self.grep is None or self.grep.search(line.message) is not None)
        )


def _regex(written: str | None) -> re.Pattern[str] | None:
    if written is None:
        return None
    try:  # like the real one: without capitals, the case of letters does not matter
        return re.compile(written, re.IGNORECASE if written == written.lower() else 0)
    except re.error as wrong:
        raise ValueError(f'Bad pattern "{written}": {wrong}') from None


def _priority(written: str) -> int:
    word = written.rpartition("..")[2]
    if word in _PRIORITIES:
        return _PRIORITIES.index(word)
    if not re.fullmatch("[0-7]", word):
        raise ValueError(f"Unknown log level {written}")
    return int(word)


def moment(written: str) -> int:
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
    whole = f"{parts[1]} {parts[2] or '00:00'}:{parts[3] or '00'}"
    seconds = timegm(time.strptime(whole, "%Y-%m-%d %H:%M:%S"))
    return seconds * 1_000_000 + int((parts[4] or "0").ljust(6, "0"))


def main(root: str, arguments: list[str]) -> int:
    """Print what was asked for; the exit status."""
    layout = Layout(root)
    try:
        request = Request(layout, arguments)
        show = _format(request)
    except ValueError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    tails = {name: Tail(layout.log(name)) for name in request.containers}
    rows = _past(layout, request, tails)
    written = _print(rows, show)
    if request.follow:
        _follow(request, tails, show)
    elif not written and "-q" not in arguments and "--quiet" not in arguments:
        sys.stderr.write("-- No entries --\n")
    return 0


def _past(layout: Layout, request: Request, tails: dict[str, Tail]) -> Iterator[Row]:
    """What is there: the last lines that were asked for, by time."""
    if request.lines is None:
        streams = [_of(name, forward(layout, name, tails[name]), request) for name in request.containers]
        rows: Iterator[Row] = merge(*streams, key=itemgetter(0))
        return reversed(list(rows)) if request.reverse else rows
    newest = merge(
        *(_of(name, backward(layout, name, tails[name]), request) for name in request.containers),
        key=itemgetter(0),
        reverse=True,
    )
    last = [row for _, row in zip(range(request.lines), newest, strict=False)]
    return iter(last if request.reverse else last[::-1])


def _of(container: str, lines: Iterator[Line], request: Request) -> Iterator[Row]:
    for line in lines:
        if line.time < request.since and request.lines is not None:
            return  # read backwards: all that comes is older still
        if request.takes(line):
            yield line.time, container, line


class Tail:
    """Reads what is appended to a container's log from where it stood when this was made."""

    def __init__(self, place: Path) -> None:
        self.path = place / journal.CURRENT
        self.rest = b""
        self.file = self._open()
        self.start = os.fstat(self.file).st_size if self.file is not None else 0
        if self.file is not None:
            self.start = os.lseek(self.file, self.start, os.SEEK_SET)

    def _open(self) -> int | None:
        try:
            return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def lines(self) -> Iterator[Line]:
        """The whole lines that came since, over a rotation too."""
        yield from self._rest()
        if self.file is None or self._rotated():
            fresh = self._open()
            if fresh is not None:
                yield from self._rest()
                if self.file is not None:
                    os.close(self.file)
                self.file, self.rest = fresh, b""
                yield from self._rest()

    def _rotated(self) -> bool:
        try:
            return self.file is not None and self.path.stat().st_ino != os.fstat(self.file).st_ino
        except FileNotFoundError:
            return False

    def _rest(self) -> Iterator[Line]:
        while self.file is not None and (data := os.read(self.file, CHUNK)):
            *whole, self.rest = (self.rest + data).split(b"\n")
            yield from filter(None, map(journal.parse, whole))


def forward(layout: Layout, container: str, tail: Tail) -> Iterator[Line]:
    """The lines of a container's log up to where the tail begins, oldest first."""
    for path in journal.files(layout, container):
        left = tail.start if path == tail.path else path.stat().st_size
        with path.open("rb") as file:
            rest = b""
            while data := file.read(min(CHUNK, left)):
                left -= len(data)
                *whole, rest = (rest + data).split(b"\n")
                yield from filter(None, map(journal.parse, whole))


def backward(layout: Layout, container: str, tail: Tail) -> Iterator[Line]:
    """The same, newest first."""
    for path in reversed(journal.files(layout, container)):
        left = tail.start if path == tail.path else path.stat().st_size
        with path.open("rb") as file:
            rest = b""
            while left:
                size = min(CHUNK >> 3, left)
                left -= size
                file.seek(left)
                rest, *whole = (file.read(size) + rest).split(b"\n")
                yield from filter(None, map(journal.parse, reversed(whole)))
            if first := journal.parse(rest):
                yield first


def _follow(request: Request, tails: dict[str, Tail], show: Callable[[Row], str]) -> None:
    """Print what comes, until killed, or until the reader or the folder is gone."""
    home = next(iter(tails.values())).path.parent.parent if tails else Path("/")
    while home.exists():
        rows = [(line.time, name, line) for name, tail in tails.items() for line in tail.lines() if request.takes(line)]
        _print(iter(sorted(rows, key=itemgetter(0))), show)
        _wait_for_reader_or_time()


def _wait_for_reader_or_time() -> None:
    """Sleep a moment; end at once when the reader of our output has gone, as no write would tell while all is quiet."""
    from select import POLLERR, poll

    watch = poll()
    watch.register(sys.stdout.fileno(), 0)
    if any(event & POLLERR for _, event in watch.poll(int(POLL_SECONDS * 1000))):
        raise BrokenPipeError


def _print(rows: Iterator[Row], show: Callable[[Row], str]) -> int:
    """Write rows in chunks; how many there were."""
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


def _json(row: Row, fields: set[str], whole: bool) -> str:
    at, container, line = row
    values: dict[str, object] = {
        "MESSAGE": _field(line.message, whole),
        "PRIORITY": str(line.priority),
        "SYSLOG_IDENTIFIER": line.identifier,
        "_SYSTEMD_UNIT": f"container@{container}.service",
    }
    if fields:
        values = {name: value for name, value in values.items() if name in fields}
    values["__CURSOR"] = f"embedded;{container};{at:x}"
    values["__REALTIME_TIMESTAMP"] = str(at)
    return json.dumps(values, ensure_ascii=False) + "\n"


def _field(text: str, whole: bool) -> object:
    """A field's value as journalctl's JSON has it."""
    if len(text) > LONGEST // 4 and not whole and len(text.encode("utf-8", "surrogateescape")) > LONGEST:
        return None
    return list(text.encode("utf-8", "surrogateescape")) if _UNPRINTABLE.search(text) else text
