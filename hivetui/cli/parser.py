"""The command line as words: the verbs, their arguments, and the errors for what cannot be understood.

Only the standard library is imported, so that help and usage errors are printed at once. Options that all verbs share
may stand before or after the verb.
"""

# size: the table of all verbs, with what adds the arguments of each.

from __future__ import annotations

import argparse
import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from hivetui import __version__
from hivetui.engine.model.errors import BadData, WrongUsage, shorten

_MAX_MESSAGE = 200
"""Characters of a message of argparse, which repeats the words of the command line."""
_MAX_PREFIX_VALUE = 1024
"""A directory that is longer than this is not repeated in the commands that are advised."""

Arguments = Callable[[argparse.ArgumentParser], None]
Request = argparse.Namespace
"""`command` is the verb or None; the other fields are the options below, under their long names."""


class Verb(NamedTuple):  # a dataclass takes 6 ms to import, in every verb
    """One verb: its name, its line in the help, and what adds its arguments to a parser."""

    name: str
    help: str
    arguments: Arguments = lambda parser: None


def parse(argv: Sequence[str]) -> Request:
    """Parse the words; raises WrongUsage. `--help` and `--version` print and exit with status 0."""
    request = _build_parser(argv).parse_args(_join_spans(argv))
    request.hosts = [*request.host, *getattr(request, _HOST_AFTER, ())]
    _check_hive_options(request)
    return request


def _join_spans(words: Sequence[str]) -> list[str]:
    """Words in which a span that begins with a minus, as in `--since -1h`, is not taken for an option by argparse."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in ("--since", "--until") and re.match(r"-\s*\d", word, re.ASCII):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _check_hive_options(request: Request) -> None:
    """WrongUsage unless the options name one hive or, for the console and a verb that lists, several hosts."""
    for option, value in (("--root", request.root), ("--embedded", request.embedded)):
        if value == "":  # as of an unset shell variable; without it the real host would be meant
            raise WrongUsage(f"{option} needs a directory", "An empty one was given.", f"Use: {option} DIR")
    named = [option for option in ("root", "embedded", "hosts") if getattr(request, option)]
    if len(named) > 1:
        first, second = (f"--{option.removesuffix('s')}" for option in named[:2])
        raise WrongUsage(f"{first} and {second} exclude each other", "Each of them names a hive.", "Give only one.")
    if request.hosts and request.command in LOCAL_VERBS:
        why = f"{request.command} runs on this host."
        raise WrongUsage(f"{request.command} takes no --host", why, "Leave --host out, or log in there with ssh.")
    if len(request.hosts) > 1 and request.command not in (None, *LISTING_VERBS):
        why = f"{len(request.hosts)} --host were given; the console and {', '.join(LISTING_VERBS)} take several."
        raise WrongUsage(f"{request.command} is about one hive", why, "Give one.")


def command_prefix(argv: Sequence[str]) -> str:
    """The beginning of a shell command that reaches the same hive: the program and the options that name the hive."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    _add_shared_options(parser, None)
    try:
        known, _ = parser.parse_known_args(argv)
    except WrongUsage:  # an option without its value does not name a hive
        return "hivetui"
    words = ["hivetui"]
    for host in known.host:
        words += ["--host", host if len(host) <= _MAX_PREFIX_VALUE else "HOST"]
    for option, metavar, _ in _SHARED_OPTIONS:
        if value := getattr(known, option.removeprefix("--")):
            words += [option, value if len(value) <= _MAX_PREFIX_VALUE else metavar]
    return shlex.join(words)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


def _add_optional_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?")


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+")
    _add_jobs(parser)


def _add_names_and_yes(parser: argparse.ArgumentParser) -> None:
    _add_names(parser)
    _add_yes(parser)


def _add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask; only a terminal is asked")


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", metavar="N", type=_positive, default=1, help="how many at once (default 1)")


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=_id)


def _add_id_and_yes(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)
    _add_yes(parser)


def _id(text: str) -> int:
    """An id as the console shows it, #7, or plain, 7."""
    if not re.fullmatch(r"#?-?[0-9]{1,18}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not an id such as 7 or #7")
    return int(text.removeprefix("#"))


def _positive(text: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]{0,5}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 1")
    return int(text)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", metavar="DIR", help="create the hive in DIR and keep it")
    parser.add_argument("--tour", action="store_true", help="print the narrated tour, even on a terminal")


def _add_rebuild(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("--all", action="store_true", help="every agent that has a container")
    _add_jobs(parser)
    _add_yes(parser)


def _add_destroy(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("--purge", action="store_true", help="delete repos, credentials and notes too")
    parser.add_argument("--confirm", metavar="NAME", help="the name again; required by --purge without a terminal")
    _add_yes(parser)


def _add_submit(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("commit", metavar="COMMIT", nargs="?", help="default: main of the proposed repo")
    parser.add_argument("-m", "--message", metavar="TEXT", default="", help="the purpose of the change")


def _add_request_spawn(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("-m", "--message", metavar="TEXT", default="", help="what the agent is for")


def _all_flag(text: str) -> Arguments:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help=text)

    return add


def _add_show(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)
    parser.add_argument("--diff", action="store_true", help="print the diff too")
    parser.add_argument("--against", metavar="REF", help="compare with a commit, or with a tag such as denied/6")


def _add_approve(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)
    parser.add_argument("--commit", metavar="SHA", help="the commit that was reviewed")
    parser.add_argument("--base", metavar="SHA", help="the commit of applied main that it was compared with")
    parser.add_argument("--effect", metavar="DRV", help="deploy exactly this derivation, as preview printed it")
    parser.add_argument("--note", metavar="TEXT", default="", help="recorded with the decision")
    parser.add_argument(
        "--acknowledge", metavar="ID", action="append", default=[], help="a critical finding that was read; repeatable"
    )
    restart = "restart it even if its system stays the same"
    parser.add_argument("--restart", action="store_true", help=restart)


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rule", metavar="RULE", nargs="?")


def _add_update_base(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="REV", help="a full hash or a branch (default: the newest)")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    _add_optional_name(parser)
    parser.add_argument("--signers", metavar="FILE", help="whose signatures count, in place of the host's own list")


def _add_deny(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)
    _add_reason(parser)
    parser.add_argument(
        "--line",
        metavar="NOTE",
        action="append",
        default=[],
        help="FILE:SIDE:FROM[-TO]:TEXT, a note on lines",
    )


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdio", action="store_true", help="for one client, on stdin and stdout")


def _add_rollback(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("--to", metavar="ID", type=_id, required=True, help="an earlier deploy of this agent")
    _add_reason(parser)


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--note", metavar="TEXT", help="the reason; asked for on a terminal")


def _add_logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+")
    parser.add_argument("-f", "--follow", action="store_true", help="print new lines as they come")
    parser.add_argument("-n", "--lines", metavar="N", type=_lines, default=100, help='how many, or "all" (default 100)')
    parser.add_argument("--since", metavar="T", help="10m, yesterday, 18:00 (UTC), 2026-01-31 18:00, @1764180000")
    parser.add_argument("--grep", metavar="RE", help="only lines that match this regular expression (RE2)")


def _add_history(parser: argparse.ArgumentParser) -> None:
    _add_optional_name(parser)
    parser.add_argument("--since", metavar="T", help="not before: 7d, monday, 18:00 (UTC), 2026-01-31")
    parser.add_argument("--until", metavar="T", help="not after")
    parser.add_argument(
        "--state",
        metavar="STATE",
        action="append",
        choices=("active", "inactive", "deployed", "failed"),
        help="active, inactive, deployed, failed; may be repeated",
    )
    parser.add_argument("--grep", metavar="RE", help="only deploys that match this expression (RE2)")


def _lines(text: str) -> int | None:
    """A number of lines; None for all of them."""
    if text == "all":
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f'{text[:40]!r} is not a number of lines: use 0, 100, or "all"')
    return int(text)


def _add_operation(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="stream its output until it ends")


def _add_repair(parser: argparse.ArgumentParser) -> None:
    _add_optional_name(parser)
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done")


VERBS = (
    Verb("demo", "try the console on a hive in a folder: no NixOS, no root", _add_demo),
    Verb("agents", "list every agent and its state"),
    Verb("spawn", "create an agent", _add_name),
    Verb("start", "start containers", _add_names),
    Verb("stop", "stop containers", _add_names_and_yes),
    Verb("restart", "stop containers and start them again", _add_names_and_yes),
    Verb("rebuild", "build again on the current base, and restart what differs", _add_rebuild),
    Verb("update-base", "lock the base flake at its newest revision; builds nothing", _add_update_base),
    Verb("destroy", "remove a container; with --purge, all data of the agent too", _add_destroy),
    Verb("submit", "pin a commit of an agent's proposed repo as a proposal", _add_submit),
    Verb("request-spawn", "propose to spawn an agent", _add_request_spawn),
    Verb("status", "for the manager: what became of its proposals"),
    Verb("mcp", "for the manager: its door as tools of a model, by MCP"),
    Verb("retry", "propose the commit of a failed or cancelled deploy again", _add_id),
    Verb("proposals", "list the pending proposals", _all_flag("the decided ones too")),
    Verb("show", "show one proposal: commit, message, files, findings", _add_show),
    Verb("preview", "evaluate and build a proposal, and print what would change", _add_id),
    Verb("approve", "deploy a proposal", _add_approve),
    Verb("deny", "deny a proposal", _add_deny),
    Verb("withdraw", "close a pending proposal without a decision", _add_id_and_yes),
    Verb("history", "list every deploy and those that failed, newest first", _add_history),
    Verb("rollback", "deploy the commit of an earlier deploy again", _add_rollback),
    Verb("logs", "print the agents' logs, merged by time", _add_logs),
    Verb("operations", "list the running operations", _all_flag("the ended ones too")),
    Verb("operation", "show one operation and its output", _add_operation),
    Verb("cancel", "cancel a running operation", _add_id_and_yes),
    Verb("warnings", "list what is wrong, with the fix for each"),
    Verb("repair", "repair what crashes left, as every start does", _add_repair),
    Verb("rules", "list the rules of the findings, or one with its examples", _add_rules),
    Verb("verify", "compare the history with its signed records", _add_verify),
    Verb("doctor", "check this host: tools, versions, permissions, rules"),
    Verb("shell", "open a root shell in an agent's container", _add_name),
    Verb("engine", "run the engine of this hive, for consoles and verbs", _add_engine),
    Verb("serve", "offer the console over SSH to the operators of the hive"),
)
DOOR_VERBS = ("submit", "withdraw", "request-spawn", "status", "mcp")
"""Those that may go through the manager's door."""
_VERB_COLUMNS = 4 + max(len(verb.name) for verb in VERBS)
VERB_NAMES = tuple(verb.name for verb in VERBS)
LOCAL_VERBS = ("demo", "engine", "serve", "status", "mcp")
"""Verbs that are about the host on which they run."""
LISTING_VERBS = ("agents", "proposals", "history", "operations", "warnings", "logs")
"""Verbs that list; of several hosts, with the name of the host in each row."""
_HOST_AFTER = "host_after"
"""Where --host behind the verb is kept: argparse would replace those before it, and act on another hive."""


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises WrongUsage or BadData instead of printing and exiting."""

    words: Sequence[str] = ()
    """The whole command line."""

    def error(self, message: str) -> NoReturn:
        """Raise the error that fits argparse's message."""
        _refuse_dashed_name(self.words, message)
        known = self._known_options()
        options = [word.partition("=")[0] for word in self.words if re.match("--[a-z]", word)]
        if unknown := [option for option in options if option not in known]:
            raise _unknown_option(unknown[0], known)
        if match := re.search(r"argument COMMAND: invalid choice: '(.*?)' \(choose", message, re.DOTALL):
            raise _unknown_verb(match[1])
        why = shorten(message, _MAX_MESSAGE)
        raise WrongUsage("The command line was not understood", why, f"Read: {self.prog} --help")

    def _known_options(self) -> list[str]:
        """The long options of this parser and, for that of the whole program, those of the verb that is named."""
        parsers: list[argparse.ArgumentParser] = [self]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += [parser for name, parser in action.choices.items() if name in self.words]
        options = [option for parser in parsers for action in parser._actions for option in action.option_strings]
        return [option for option in dict.fromkeys(options) if option.startswith("--")]


def _refuse_dashed_name(words: Sequence[str], message: str) -> None:
    """Report a name that begins with a dash, which argparse takes for an option, as the bad name that it is."""
    dashed = [word for word in words if word.startswith("-") and word not in _ALL_OPTIONS]
    if dashed and re.search(r"required: .*\bNAME\b", message):
        why = "A name must start and end with a letter or digit."
        raise BadData(f"{dashed[-1][:40]!r} is not a valid agent name", why, "Choose another name, such as alice.")


def _unknown_verb(word: str) -> WrongUsage:
    nearest = difflib.get_close_matches(word, VERB_NAMES, 1)
    fix = f"Did you mean: hivetui {nearest[0]}" if nearest else "Read: hivetui --help"
    return WrongUsage(f"{word[:40]!r} is not a verb of hivetui", f"Verbs: {', '.join(VERB_NAMES)}.", fix)


def _unknown_option(word: str, known: Sequence[str]) -> WrongUsage:
    nearest = difflib.get_close_matches(word, known, 1)
    fix = f"Did you mean: {nearest[0]}" if nearest else "Read: hivetui --help"
    return WrongUsage(f"{word[:40]!r} is not an option here", f"Options: {', '.join(known)}.", fix)


_SHARED_OPTIONS = (
    ("--root", "DIR", "put every path of the host under DIR"),
    ("--embedded", "DIR", "a whole hive in a folder; spawn creates it"),
    ("--config", "FILE", "a settings file that is read last"),
)
_ALL_OPTIONS = (
    *(option for option, *_ in _SHARED_OPTIONS),
    "--host",
    "--json",
    "--read-only",
    "--help",
    "-h",
    "--version",
)


def _add_shared_options(parser: argparse.ArgumentParser, default: object) -> None:
    group = parser.add_argument_group("options of every verb")
    is_verb = default == argparse.SUPPRESS
    group.add_argument(
        "--host",
        metavar="HOST",
        action="append",
        default=default if is_verb else [],
        dest=_HOST_AFTER if is_verb else "host",
        help="a hive elsewhere, over SSH: [USER@]HOST[:PORT]",
    )
    for option, metavar, text in _SHARED_OPTIONS:
        group.add_argument(option, metavar=metavar, default=default, help=text)
    flag = default if is_verb else False
    group.add_argument("--json", action="store_true", default=flag, help="print data as JSON on stdout")
    group.add_argument("--read-only", action="store_true", default=flag, help="decide and start nothing")


def _format_help(prog: str) -> argparse.HelpFormatter:
    """Every option and verb on one line at 80 columns."""
    formatter = argparse.HelpFormatter(prog, max_help_position=28)
    formatter._action_max_length = _VERB_COLUMNS  # argparse leaves the indent of verbs out when it measures them
    return formatter


def _build_parser(words: Sequence[str]) -> _Parser:
    parser = _Parser(
        prog="hivetui",
        formatter_class=_format_help,
        allow_abbrev=False,
        description="A terminal console for a hive. Without a verb, the console opens.",
    )
    parser.words = words
    parser.usage = "%(prog)s [OPTION ...] [COMMAND ...]"
    parser.add_argument("--version", action="version", version=f"hivetui {__version__}")
    _add_shared_options(parser, None)
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="verbs", parser_class=_Parser, prog="hivetui"
    )
    for verb in VERBS:
        if verb.name not in words and not {"-h", "--help"}.intersection(words):
            continue  # a parser takes long to make, and nobody asks for this one
        added = commands.add_parser(
            verb.name, description=verb.help, allow_abbrev=False, help=verb.help, formatter_class=_format_help
        )
        added.words = words
        verb.arguments(added)
        added.usage = f"%(prog)s [OPTION ...] {_required_words(added)}".rstrip()
        _add_shared_options(added, argparse.SUPPRESS)
    return parser


def _required_words(parser: argparse.ArgumentParser) -> str:
    """What a verb takes besides options that may be left out; argparse repeats all options, in two or three lines."""
    words = []
    for action in parser._actions:
        if action.option_strings and action.required:
            words.append(f"{action.option_strings[0]} {action.metavar}")
        elif not action.option_strings:
            many = " ..." if action.nargs in ("+", "*") else ""
            words.append(f"[{action.metavar}{many}]" if action.nargs in ("?", "*") else f"{action.metavar}{many}")
    return " ".join(words)
