"""How often the level of a line is wrong, over lines of many formats that state it, whatever their words say.

The sentences are of this file; the formats are those that the programs document.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import cycle
from typing import NamedTuple

from hivetui.widgets.log.levels import level_of
from hivetui.widgets.log.line_text import shown_text

MOST_WRONG = 0.01


class Format(NamedTuple):
    """A format of lines: the names that it has for debug, info, warning and error, and how a line is made."""

    name: str
    levels: tuple[str, str, str, str]
    line: Callable[[str, str], str]


KINDS = ("", "info", "warning", "error")
UPPER = ("DEBUG", "INFO", "WARN", "ERROR")
LOWER = ("debug", "info", "warn", "error")
PYTHON = ("DEBUG", "INFO", "WARNING", "ERROR")
LETTERS = ("D", "I", "W", "E")

SENTENCES = (
    "the queue is empty, errors so far: 0",
    "258 checks passed, 0 failed, 0 warnings",
    "mounted /srv with errors=remount-ro",
    "the inbox was read in 12 ms",
    "no error was reported by the sensor",
    "retry 3 of 5 after a failed attempt",
    "cannot reach the printer on the second floor",
    "error budget left: 99.2 %",
    "warning lights are off",
    "the panic button was tested and works",
    "the critical section was left after 4 us",
    "fatal accidents per year: none",
    'file "errors.txt" has 17 lines',
    "a message of the level info was dropped",
    "the debug port is closed",
    "user nina logged in from the garden",
    "connection refused by the greenhouse",
    "exception list loaded with 8 rules",
    "temperature=21 humidity=40",
    "the disk is almost full",
    "took too long, gave up",
    "the warn threshold is now 80",
    "failover finished",
    "turned the lamp off; it did not answer",
)


def as_json(level: str, text: str) -> str:
    return json.dumps({"ts": "2026-11-27T10:11:12.131Z", "level": level, "msg": text, "errors": 0})


def as_logfmt(level: str, text: str) -> str:
    return f"time=2026-11-27T10:11:12Z level={level} msg={json.dumps(text)} attempt=3"


def as_klog(letter: str, text: str) -> str:
    return f"{letter}1127 10:11:12.131000       1 gardener.go:42] {text}"


def as_syslog(priority: str, text: str) -> str:
    return f"<{priority}>Nov 27 10:11:12 shed waterer[412]: {text}"


def as_android(letter: str, text: str) -> str:
    return f"11-27 10:11:12.131  1204  1311 {letter} Waterer : {text}"


def as_android_brief(letter: str, text: str) -> str:
    return f"{letter}/Waterer( 1204): {text}"


def as_log4j(level: str, text: str) -> str:
    return f"2026-11-27 10:11:12,131 {level:<5} [main] org.example.Waterer: {text}"


def as_logback(level: str, text: str) -> str:
    return f"10:11:12.131 [pool-1-thread-2] {level:<5} o.example.Waterer - {text}"


def as_spring(level: str, text: str) -> str:
    return f"2026-11-27T10:11:12.131Z {level:>5} 7 --- [           main] o.example.Waterer : {text}"


def as_python(level: str, text: str) -> str:
    return f"{level}:garden.water:{text}"


def as_python_with_time(level: str, text: str) -> str:
    return f"2026-11-27 10:11:12,131 - garden.water - {level} - {text}"


def as_uvicorn(level: str, text: str) -> str:
    return f"{level + ':':<9} {text}"


def as_nginx(level: str, text: str) -> str:
    return f"2026/11/27 10:11:12 [{level}] 31#31: *7 {text}, client: 192.0.2.7, server: shed.example"


def as_apache(level: str, text: str) -> str:
    return f"[Fri Nov 27 10:11:12.131000 2026] [core:{level}] [pid 31:tid 7] {text}"


def as_zap(level: str, text: str) -> str:
    return f'2026-11-27T10:11:12.131Z\t{level}\tgarden/water.go:42\t{text}\t{{"errors": 0}}'


def as_zap_json(level: str, text: str) -> str:
    return json.dumps({"level": level, "ts": 1796811072.1, "caller": "garden/water.go:42", "msg": text})


def as_pino(number: str, text: str) -> str:
    return json.dumps({"level": int(number), "time": 1796811072131, "pid": 7, "msg": text})


def as_slog(level: str, text: str) -> str:
    return f"2026/11/27 10:11:12 {level} {text} errors=0"


def as_rust(level: str, text: str) -> str:
    return f"[2026-11-27T10:11:12Z {level:<5} garden::water] {text}"


def as_tracing(level: str, text: str) -> str:
    return f"2026-11-27T10:11:12.131000Z {level:>5} garden::water: {text}"


def as_ruby(letter: str, text: str) -> str:
    word = dict(zip(LETTERS, UPPER, strict=True))[letter]
    return f"{letter}, [2026-11-27T10:11:12.131000 #7] {word:>5} -- garden: {text}"


def as_postgres(level: str, text: str) -> str:
    return f"2026-11-27 10:11:12.131 UTC [31] {level}:  {text}"


FORMATS = (
    Format("JSON", LOWER, as_json),
    Format("logfmt", LOWER, as_logfmt),
    Format("klog", ("I", "I", "W", "E"), as_klog),
    Format("syslog", ("15", "14", "12", "11"), as_syslog),
    Format("Android", LETTERS, as_android),
    Format("Android, brief", LETTERS, as_android_brief),
    Format("log4j", UPPER, as_log4j),
    Format("logback", UPPER, as_logback),
    Format("Spring", UPPER, as_spring),
    Format("Python", PYTHON, as_python),
    Format("Python with a time", PYTHON, as_python_with_time),
    Format("uvicorn", PYTHON, as_uvicorn),
    Format("nginx", ("debug", "notice", "warn", "error"), as_nginx),
    Format("Apache", ("debug", "notice", "warn", "error"), as_apache),
    Format("zap", UPPER, as_zap),
    Format("zap, JSON", LOWER, as_zap_json),
    Format("pino", ("20", "30", "40", "50"), as_pino),
    Format("slog", UPPER, as_slog),
    Format("env_logger", UPPER, as_rust),
    Format("tracing", UPPER, as_tracing),
    Format("Ruby", LETTERS, as_ruby),
    Format("PostgreSQL", ("DEBUG", "LOG", "WARNING", "ERROR"), as_postgres),
)


def lines() -> list[tuple[str, str, str]]:
    """The name of the format, the level that is stated, and the line as it is shown."""
    made = []
    for form in FORMATS:
        for kind, text in zip(cycle(range(4)), SENTENCES, strict=False):
            level = "info" if form.name == "klog" and not kind else KINDS[kind]
            made.append((form.name, level, shown_text(form.line(form.levels[kind], text).encode())))
            other = (kind + 2) % 4
            level = "info" if form.name == "klog" and not other else KINDS[other]
            made.append((form.name, level, shown_text(form.line(form.levels[other], text).encode())))
    return made


def test_of_lines_that_state_their_level_no_more_than_one_in_a_hundred_has_another() -> None:
    every = lines()
    assert len(every) > 1000
    wrong = [(name, level, level_of(text), text) for name, level, text in every if level_of(text) != level]
    assert len(wrong) <= len(every) * MOST_WRONG, wrong[:20]


def test_in_no_format_is_a_level_wrong_as_a_rule() -> None:
    """One format of many would hardly show in the share of all."""
    every = lines()
    for form in FORMATS:
        of_it = [(level, text) for name, level, text in every if name == form.name]
        wrong = [(level, level_of(text), text) for level, text in of_it if level_of(text) != level]
        assert len(wrong) <= len(of_it) * 0.05, (form.name, wrong)
