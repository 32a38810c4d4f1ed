"""The command line as words: which verbs there are, what each takes, and what is said when it was not understood.

Only the standard library is imported, so that help and usage errors come at once. Options that all verbs share may
stand before or after the verb.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from hivetui import __version__
from hivetui.engine.model.errors import BadData, WrongUsage

Arguments = Callable[[argparse.ArgumentParser], None]
Request = argparse.Namespace
"""`command` is the verb or None; the other fields are the options below, under their long names."""


@dataclass(frozen=True)
class Verb:
    """One verb: its name, its line in the help, and what adds its arguments."""

    name: str
    help: str
    arguments: Arguments = lambda parser: None
    later: bool = False  # known, and not in this version


def parse(argv: Sequence[str]) -> Request:
    """What was asked; WrongUsage says what was not understood. `--help` and `--version` end the program with 0."""
    request = _parser(argv).parse_args(argv)
    if request.root and request.embedded:
        raise WrongUsage("--root and --embedded exclude each other", "Each names a hive.", "Give one of them.")
    return request


def reaching(argv: Sequence[str]) -> str:
    """The words of a shell that reach the same hive again: the program, and the options that named the hive."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    _add_shared(parser, None)
    try:
        known, _ = parser.parse_known_args(argv)
    except WrongUsage:  # an option without its value names no hive
        return "hivetui"
    options = [option for option, *_ in _SHARED if getattr(known, option.removeprefix("--"))]
    words = [word for option in options for word in (option, getattr(known, option.removeprefix("--")))]
    return shlex.join(["hivetui", *words])


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


def _optional_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?")


def _names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+")
    _jobs(parser)


def _jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", metavar="N", type=_count, default=1, help="how many at once (default 1)")


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=_number)


def _number(text: str) -> int:
    """An id, as it is written everywhere: 7, or #7."""
    if not re.fullmatch(r"#?-?[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number, such as 7 or #7")
    return int(text.removeprefix("#"))


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", metavar="DIR", help="live in DIR and leave it there")
    parser.add_argument("--tour", action="store_true", help="the narrated tour, on a terminal too")


def _rebuild(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("--all", action="store_true", help="every agent that has a container")
    _jobs(parser)


def _destroy(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--purge", action="store_true", help="wipe repos, credentials and notes too")
    parser.add_argument("--confirm", metavar="NAME", help="the name again, for --purge off a terminal")


def _submit(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("commit", metavar="COMMIT", nargs="?", help="default: main of the proposed repo")
    parser.add_argument("-m", "--message", metavar="TEXT", default="", help="what it is for")


def _all_flag(text: str) -> Arguments:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help=text)

    return add


def _show(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument("--diff", action="store_true", help="the difference too")


def _approve(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument("--commit", metavar="SHA", help="the commit that was read")
    parser.add_argument("--base", metavar="SHA", help="the applied main that it was compared with")
    parser.add_argument("--note", metavar="TEXT", default="")
    parser.add_argument("--acknowledge", metavar="RULE", action="append", default=[], help="a finding that was read")


def _deny(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument("--note", metavar="TEXT", required=True, help="why")


def _rollback(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--to", metavar="ID", type=_number, required=True, help="an earlier deploy of this agent")
    parser.add_argument("--note", metavar="TEXT", required=True, help="why")


def _logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines come")
    parser.add_argument("-n", "--lines", metavar="N", type=_lines, default=100, help='how many, or "all" (default 100)')
    parser.add_argument("--since", metavar="T", help="10m, 2h, 3d, today, or 2026-01-31T12:00:00Z")
    parser.add_argument("--grep", metavar="RE", help="only lines that match")


def _lines(text: str) -> int | None:
    if text == "all":
        return None
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _operation(parser: argparse.ArgumentParser) -> None:
    _id(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="from its first line until its end")


def _repair(parser: argparse.ArgumentParser) -> None:
    _optional_name(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")


VERBS = (
    Verb("demo", "the console on an embedded hive that lives in a folder: no NixOS, no root", _demo),
    Verb("agents", "every agent and its state"),
    Verb("spawn", "make an agent", _name),
    Verb("start", "start containers", _names),
    Verb("stop", "stop containers", _names),
    Verb("restart", "stop containers and start them", _names),
    Verb("rebuild", "build what is applied on the base flake, and run it", _rebuild),
    Verb("destroy", "remove a container; with --purge, all of the agent", _destroy),
    Verb("submit", "pin a commit of an agent's proposed repo as a proposal", _submit),
    Verb("proposals", "what waits for a decision", _all_flag("the decided ones too")),
    Verb("show", "one proposal: commit, base, message, files, findings", _show),
    Verb("preview", "build a candidate without deploying it", _id, later=True),
    Verb("approve", "deploy a proposal", _approve),
    Verb("deny", "refuse a proposal", _deny),
    Verb("withdraw", "take a pending proposal back", _id),
    Verb("history", "every deploy, newest first", _optional_name),
    Verb("rollback", "deploy the commit of an earlier deploy again", _rollback),
    Verb("logs", "the agents' logs, merged by time", _logs),
    Verb("operations", "what runs", _all_flag("what ran, too")),
    Verb("operation", "one operation and its output", _operation),
    Verb("cancel", "end a running operation", _id),
    Verb("warnings", "port collisions, drift, half-made things; the fix for each"),
    Verb("repair", "settle now what is settled at every start, and say it", _repair),
    Verb("doctor", "is this host fit: tools, versions, permissions, places"),
    Verb("engine", "run the engine as a service", later=True),
    Verb("serve", "offer the console over SSH", later=True),
)
NAMES = tuple(verb.name for verb in VERBS if not verb.later)


class _Parser(argparse.ArgumentParser):
    """argparse that raises in place of printing and ending."""

    given: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """Three lines: what was wrong, why, what to do."""
        _refuse_dashed_name(self.given, message)
        unknown = re.search(r"argument COMMAND: invalid choice: '(.*?)' \(choose", message, re.DOTALL)
        if unknown:
            raise _unknown_verb(unknown[1])
        raise WrongUsage("The command line was not understood", message, f"Read: {self.prog} --help")


def _refuse_dashed_name(argv: Sequence[str], message: str) -> None:
    """A name that begins with - is taken for an option; it is a bad name all the same, and is told as one."""
    dashed = [word for word in argv if word.startswith("-") and word not in _ALL_OPTIONS]
    if dashed and re.search(r"required: .*\bNAME\b", message):
        why = "A name begins and ends with a letter or digit."
        raise BadData(f"{dashed[-1][:40]!r} cannot be the name of an agent", why, "Choose another name, such as alice.")


def _unknown_verb(word: str) -> WrongUsage:
    near = difflib.get_close_matches(word, NAMES, 1)
    fix = f"Did you mean: hivetui {near[0]}" if near else "Read: hivetui --help"
    return WrongUsage(f"{word[:40]!r} is not a verb of hivetui", f"Verbs are {', '.join(NAMES)}.", fix)


_SHARED = (
    ("--root", "DIR", "every place of the host is under DIR; the tools are the host's own"),
    ("--embedded", "DIR", "a whole hive in a folder, made when it is not there"),
    ("--host", "[USER@]HOST[:PORT]", argparse.SUPPRESS),  # known, and not in this version
    ("--config", "FILE", "a settings file that is read last"),
)
_ALL_OPTIONS = (*(row[0] for row in _SHARED), "--json", "--help", "-h", "--version")


def _add_shared(parser: argparse.ArgumentParser, default: object) -> None:
    group = parser.add_argument_group("options of every verb")
    for option, metavar, text in _SHARED:
        group.add_argument(option, metavar=metavar, default=default, help=text)
    flag = default if default == argparse.SUPPRESS else False
    group.add_argument("--json", action="store_true", default=flag, help="data as JSON on stdout")


def _parser(argv: Sequence[str]) -> _Parser:
    parser = _Parser(prog="hivetui", allow_abbrev=False, description="A console for a hive; without a verb, on screen.")
    parser.add_argument("--version", action="version", version=f"hivetui {__version__}")
    _add_shared(parser, None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="verbs", parser_class=_Parser)
    for verb in VERBS:
        listed: dict[str, Any] = {} if verb.later else {"help": verb.help}
        added = commands.add_parser(verb.name, description=verb.help, allow_abbrev=False, **listed)
        added.given = argv
        verb.arguments(added)
        _add_shared(added, argparse.SUPPRESS)
    return parser
