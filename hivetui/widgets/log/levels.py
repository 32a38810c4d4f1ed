"""The level of a line of a log: "error", "warning", "info", or "" for everything else.

What the line states comes first: its priority in the journal, then a level at a place where logs of some format have
it: after the time, in brackets, before a colon, as a field of JSON or logfmt, as one letter (klog, Android), or as the
`<3>` of syslog. Its words are a guess, and the last resort: "0 failed" is no failure, "errors=remount-ro" no error.

Looks at no more than the head of a line for a stated level, and uses no expression that can backtrack far.
"""

from __future__ import annotations

import json
import re
from calendar import day_abbr, month_abbr
from itertools import islice

from hivetui.engine.model.text import sgr_only

_HEAD = 240  # characters in which a level may be stated; the longest header of a known format has 150
_DEFAULT_PRIORITY = 6  # journald gives it to all that a program prints, so it says nothing about a line
_SYSLOG = ("error", "error", "error", "error", "warning", "info", "info", "")
_NAMES = {
    "error": "ERROR ERR ERRO EROR FATAL FTL FATA CRITICAL CRIT SEVERE FAILURE FAIL ALERT EMERG EMERGENCY "
    "PANIC PANI DPANIC",
    "warning": "WARN WARNING WRN",
    "info": "INFO INF INFORMATION INFORMATIONAL NOTICE NOTE SYSTEM",
    "": "DEBUG DBG DEBU DBUG TRACE TRC TRCE VERBOSE VRB SILLY FINE FINER FINEST "
    "DEBUG1 DEBUG2 DEBUG3 DEBUG4 DEBUG5 TRACE1 TRACE2 TRACE3 TRACE4 TRACE5 TRACE6 TRACE7 TRACE8",
}
_BY_NAME = {name: level for level, names in _NAMES.items() for name in names.split()}
_BY_LETTER = {
    **dict.fromkeys("EFASC", "error"),
    "W": "warning",
    **dict.fromkeys("IN", "info"),
    **dict.fromkeys("DVT", ""),
}
_BY_SIGN = {"#": "warning", "*": "info", "-": "", ".": ""}  # of redis
_WORDS = "|".join(sorted(_BY_NAME, key=len, reverse=True))
_UPPER = "|".join(name for name in sorted(_BY_NAME, key=len, reverse=True) if name not in ("NOTE", "SYSTEM", "FINE"))

_CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?:[.,:]\d+)?"
_DATE = r"(?:\d{4}[-/.]\d\d[-/.]\d\d|\d\d[-/.]\d\d(?:[-/.]\d{2,4})?|\d\d[-/ ][A-Z][a-z]{2}[-/ ]\d{4}|\d{6,8})"
_ZONE = r"(?:[ ]?(?:Z|UTC|GMT|[AP]M|[+-]\d\d:?\d\d))?"
_STAMP = rf"(?:{_DATE}[T ,_]{{1,2}}{_CLOCK}{_ZONE}|{_CLOCK}{_ZONE})"
_STAMP_START = rf"(?:\d{{4}}-\d\d-\d\d[T |]|{_CLOCK}\s)"
_LETTERS = re.compile(
    rf"""
    (?:\d{{4}}-)?\d\d-\d\d[ ]{_CLOCK}\s+\d+\s+\d+\s+(?P<android>[VDIWEFAS])\s
    | (?:{_STAMP}\s+)?(?P<slash>[VDIWEFAS])/[\w.$\-]{{1,80}}\s{{0,20}}(?:\(\s*\d+\))?:
    | (?:\S{{1,80}}\s){{0,5}}?(?P<klog>[IWEF])(?:\d{{4}}|\d{{6}}|\d{{8}})\s(?:{_CLOCK}|00:00:\d{{10}}[.]\d+)\s
    | (?P<ruby>[DIWEFA]),\s\[
    | (?P<cups>[DINWEACX])\s\[\d\d/
    | (?:\[[\d:.,]{{1,20}}\])?\[(?P<alone>[VDIWEF])\][\s\[]
    | \[(?P<tornado>[DIWEC])[ ]{_STAMP}[ ]
    | (?P<apt>[DIWEN]):\s
    | (?P<esp>[VDIWE])\s\(\d+\)\s
    | (?P<before>[VDIWEFT])(?:\s|\[){_STAMP_START}
    | [\[(]?{_STAMP}[\])]?:?\s+(?P<after>[IWEFDVT])[\d!]?\s
    """,
    re.VERBOSE,
)
_SIGN = re.compile(rf"\d+:[MSCX] \d\d \w{{3}} \d{{4}} {_CLOCK} ([.\-*#]) ")
_PRI = re.compile(r"<(\d{1,3})>")
_ERLANG = re.compile(r"=([A-Z]{4,10}) REPORT====")
_ERLANG_NAMES = {**_BY_NAME, "CRASH": "error", "SUPERVISOR": "error", "PROGRESS": "info"}
_DOCKER = re.compile(r'\{"log":("(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"),"stream":"std(?:out|err)"')
_DMESG = re.compile(r"\w{3,8}\s*:(emerg|alert|crit|err|warn|notice|info|debug)\s*:")
_LEVEL_KEYS = (
    r"(?:level|lvl|severity|loglevel|log_level|log\.level|levelname|level_name|severity_text|severityText|@level|@l)"
)
_JSON_LEVEL = re.compile(rf'[{{,]\s*"({_LEVEL_KEYS})"\s*:\s*"?([A-Za-z]+|\d+)', re.IGNORECASE)
_JSON_LETTER = re.compile(r'[{,]\s*"s"\s*:\s*"([IWEFD])\d?"')
_JSON_PRIORITY = re.compile(r'[{,]\s*"priority"\s*:\s*"?(\d|[A-Za-z]+)\b', re.IGNORECASE)
_JSON_NUMBER = re.compile(r'[{,]\s*"severity_?number"\s*:\s*"?(\d{1,2})\b', re.IGNORECASE)
_LOGFMT = re.compile(rf'(?:^|\s)(?:at|{_LEVEL_KEYS})="?([A-Za-z]+)(?:[+-]\d{{1,3}})?"?(?=[\s,]|$)', re.IGNORECASE)
_PAIR = re.compile(r"(?:^|\s)[\w.@-]+=")
_STATED = re.compile(
    rf"""
    (?<![\w\-="])(?P<upper>{_UPPER})(?![\w\-=]|[.]\w)
    | (?:[\[<(|]\s{{0,8}}|{{)(?:[\w.\-]{{1,40}}:)?(?P<bracket>(?i:{_WORDS}))
      (?:\s{{0,8}}[\]>)}}|]|\s{{1,8}}-\s\d{{1,2}}:\d\d:)
    | (?<![^\s|])[-|]\s{{1,8}}(?P<between>(?i:{_WORDS}|SUCCESS))\s{{1,8}}[-|]\s
    | (?<![\w\-="./])(?P<colon>(?i:{_WORDS}|LOG|STATEMENT|DETAIL|HINT|CONTEXT))(?:\[\w{{1,12}}\])?[ ]?:(?![\w:=])
    | (?<=\w-)(?P<glib>CRITICAL|ERROR|WARNING|Message|INFO|DEBUG)(?:[ ][*]{{2}}:|:[ ]\d\d:\d\d:)
    | (?<=\s)(?P<bare>(?i:{_WORDS}))(?![^\s,:])
    | \((?P<xorg>EE|WW|II|DB|NI)\)\s
    | (?<=\s)(?:kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|local[0-7])[.]
      (?P<facility>emerg|alert|crit|err|warn|notice|info|debug)\s
    """,
    re.VERBOSE,
)
_TIME = re.compile(_CLOCK)
_AFTER_STAMP = re.compile(rf"[\[(]?{_STAMP}[\])]?[,;:]?\s+(?:[\[(]?\d+[\])]?:?\s+)?")
_PLAIN_WORD = re.compile(r"(?<!\S)[A-Za-z]*[a-z][A-Za-z]*(?!\S)")
_CALENDAR = frozenset((*day_abbr, *month_abbr))
_HEADER_WORDS = 2
_HEADER_TOKENS = 14
_LOOKAHEAD = 12  # characters after a name that tell whether it is a level
_OTHER_NAMES = {
    **{"EE": "error", "WW": "warning", "II": "info", "DB": "", "NI": ""},  # of X
    "SUCCESS": "info",  # of loguru
    **{"LOG": "info", "STATEMENT": "", "DETAIL": "", "HINT": "", "CONTEXT": ""},  # of PostgreSQL
    "MESSAGE": "info",  # of GLib
}
_TOKEN = re.compile(r"\S+")
_PARTS = re.compile(r"[A-Z]+").findall
_NO_NAMES = frozenset((*_BY_NAME, *_OTHER_NAMES)).isdisjoint

_GUESS = re.compile(
    r"""
    (?<![\w./=\-\\])(?P<error>errors?|fatal|panic(?:ked)?|critical|fail(?:ed|ures?)?|traceback|exceptions?
        |segmentation\ fault)(?![\w/=\\(]|[.\-]\w)
    | (?P<class>(?-i:\b[A-Z]\w{0,80}(?:Error|Exception)\b))(?![/=])
    | (?P<warning>(?<![\w./=\-\\])(?:warn(?:ings?)?|deprecated)(?![\w/=\\(]|[.\-]\w)
        |(?-i:\b[A-Z]\w{0,80}Warning\b)(?![/=]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GUESS_WORDS = (
    "error",
    "fatal",
    "panic",
    "critical",
    "fail",
    "traceback",
    "exception",
    "segmentation",
    "warn",
    "deprecated",
)
_DENIED_BEFORE = re.compile(
    r"(?:(?<![\w.,])0+|\b(?:no|zero|without|not|never|non|any|of|if|on|ignor(?:e|es|ed|ing)))(?:\s+(?:\w+\s+)?|-)[\"']?$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[\"']?(?:\s(?:rate|count))?\s*(?:[:=]\s*(?:0(?![.\d]*[1-9])|(?:none|null|nil|false)\b|\"\"|''|\[\]|\{\})"
    r"|-?\ ?free\b|\shandl(?:er|ing)|0(?:[.]0+)?\ ?%?$)",
    re.IGNORECASE,
)
_PASSED = re.compile(r"\s*(?:ok \d|--- PASS: |PASS |[\u2713\u2714] )|.{0,400}(?: \.\.\. ok| PASSED(?: +\[[ \d]+%\])?)$")
"""The result of a test that passed, whatever its name says: of TAP, go test, jest, node, cargo and pytest."""
_CONTEXT = 40  # characters before a word that can deny it


def level_of(text: str, priority: int | None = None) -> str:
    """The level of a line from its shown text, and its priority in the journal (0 to 7, as syslog numbers them)."""
    if priority is not None and priority != _DEFAULT_PRIORITY:
        return _SYSLOG[priority & 7]
    stated = stated_level(text)
    return _guess(text) if stated is None else stated


def stated_level(text: str) -> str | None:
    """The level that a line states where logs of its format have it; None if it states none."""
    head = text[:_HEAD].lstrip()
    if number := _PRI.match(head):
        return _SYSLOG[int(number[1]) & 7]
    if head.startswith('{"log":"') and (line := _DOCKER.match(text)):
        return stated_level("".join(piece for piece, _ in sgr_only(json.loads(line[1], strict=False))))
    if '{"' in head and (head[0] == "{" or text.rstrip().endswith("}")) and (level := _level_in_json(text)) is not None:
        return level
    if letter := _LETTERS.match(head):
        return _BY_LETTER[letter[letter.lastgroup or 0]]
    if sign := _SIGN.match(head):
        return _BY_SIGN[sign[1]]
    if name := _ERLANG.match(head):
        return _ERLANG_NAMES.get(name[1])
    if name := _DMESG.match(head):
        return _BY_NAME[name[1].upper()]
    return _level_in_header(head)


def _level_in_json(text: str) -> str | None:
    for match in _JSON_LEVEL.finditer(text):
        if (level := _level_of_value(match[2], match[1].lower())) is not None:
            return level
    if priority := _JSON_PRIORITY.search(text):
        return _SYSLOG[int(priority[1]) & 7] if priority[1].isdigit() else _BY_NAME.get(priority[1].upper())
    if number := _JSON_NUMBER.search(text):  # of OpenTelemetry: 1 for trace to 24 for fatal
        return ("", "", "", "info", "warning", "error")[min(5, (int(number[1]) + 3) // 4)]
    if letter := _JSON_LETTER.search(text):
        return _BY_LETTER[letter[1]]
    return "info" if text.lstrip().startswith('{"@t":"') else None  # of Serilog, which leaves out only that level


def _level_of_value(value: str, key: str) -> str | None:
    """A name, or a number: of syslog (0 to 7), of pino and bunyan (10 to 60), of Monolog or Google Cloud (hundreds)."""
    if not value.isdigit():
        return _BY_NAME.get(value.upper(), _BY_LETTER.get(value))
    number = int(value[:4])
    if number < 8:
        return _SYSLOG[number]
    if number >= 100:  # 100 is debug, 200 info, 300 warning; of Google Cloud 300 is notice and 400 warning
        number = number // 10 + (0 if key == "severity" and number >= 300 else 10)
    return "error" if number >= 50 else "warning" if number >= 40 else "info" if number >= 30 else ""


def _level_in_header(head: str) -> str | None:
    """The first level that only a header stands before."""
    start, level = _header_level(head)
    if (
        ("level=" in head or "lvl=" in head or "everity=" in head or "levelname=" in head or "at=" in head)
        and (pair := _LOGFMT.search(head))
        and pair.start() < start
        and _is_logfmt(head, pair)
    ):
        return _BY_NAME.get(pair[1].upper(), level)
    return level


def _header_level(head: str) -> tuple[int, str | None]:
    """Where the first level in a header is, and what it says; the end and None if there is none.

    Goes by words, which is fast, and looks closely only at those that contain the name of a level.
    """
    prose = 0
    is_inside = False  # brackets
    for token in islice(_TOKEN.finditer(head), _HEADER_TOKENS):
        word = token[0]
        if not _NO_NAMES(_PARTS(word.upper())):
            found = _STATED.search(head, max(0, token.start() - 2), token.end() + _LOOKAHEAD)
            if found and found.start() < token.end() and _is_stated(head, found):
                return found.start(), _level_of_match(found)
        if word.isalpha():
            prose += not is_inside and not word.isupper() and word not in _CALENDAR
            if prose > _HEADER_WORDS:
                break
        elif word[0] in "[({<" or is_inside:
            is_inside = word[-1] not in "])}>:,"
    return len(head), None


def _level_of_match(found: re.Match[str]) -> str:
    name = found[found.lastgroup or 0].upper()
    return _BY_NAME[name] if name in _BY_NAME else _OTHER_NAMES[name]


def _is_logfmt(head: str, pair: re.Match[str]) -> bool:
    """Whether a level=… begins a line, or is one of several pairs, outside quotes and before the words of a message."""
    before = head[: pair.start()]
    words = _PLAIN_WORD.findall(before)
    if not before or _AFTER_STAMP.fullmatch(f"{before} "):
        return True
    others = (other for other in _PAIR.finditer(head) if other.start() != pair.start())
    return any(others) and before.count('"') % 2 == 0 and len(words) <= _HEADER_WORDS


def _is_stated(head: str, match: re.Match[str]) -> bool:
    """Whether a name of a level stands where it is no word of a message."""
    before = head[: match.start()]
    if before.count('"') % 2:
        return False
    if match.lastgroup == "bare":
        return before == "npm " or _AFTER_STAMP.fullmatch(before) is not None
    if (
        match.lastgroup == "colon"
    ):  # "error:" is one, also after "name:"; "Unhandled error:" is prose, "error: 0" a value
        is_trouble = _level_of_match(match) in ("error", "warning")
        is_value = is_trouble and _DENIED_AFTER.match(head, match.end("colon"))
        is_first = not _PLAIN_WORD.search(before.rpartition(": ")[2]) or _TIME.search(before)
        return bool(is_first and not is_value)
    return True


def _guess(text: str) -> str:
    """The level that the words of a line suggest."""
    level, lower = "", text.lower()
    if not any(word in lower for word in _GUESS_WORDS) or _PASSED.match(text):
        return level
    for match in _GUESS.finditer(text):
        before = text[max(0, match.start() - _CONTEXT) : match.start()]
        if _DENIED_BEFORE.search(before) or (match.lastgroup != "class" and _DENIED_AFTER.match(text, match.end())):
            continue
        if match.lastgroup != "warning":
            return "error"
        level = "warning"
    return level
