"""Lines of programs on the command line: the text of the console, with colours on a terminal only."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest

from hivetui.cli.line_text import LineStyle, show_diff_line, show_line
from hivetui.embedded import journal
from hivetui.embedded.layout import Layout
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.names import container_of
from hivetui.engine.operations.directory import directory_of
from hivetui.widgets.log.line_text import one_line, shown_text
from tests.cli.test_terminal import Terminal
from tests.operation_output import PICTURE, insert_output

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

CARRIAGE_RETURN = b"\r\n"
TERMINAL, PIPE = LineStyle(is_cut=True, has_colours=True), LineStyle()
PNG = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 80).decode("utf-8", "surrogateescape")
LINES = [
    *(
        "plain",
        "\x1b[32mgreen\x1b[0m and \x1b[1;31mred\x1b[m",
        "\x1b]0;x\x07\x1b[2J",
        "a\tb",
        "two\nlines",
        "\u202e\x9b31m",
    ),
    *("\x1b[30;40mblack\x1b[0m", "\x1b[38;5;200mpalette\x1b[0m", "\udcf6", PNG, "x" * 4000, "日本語", ""),
]


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_terminal_a_pipe_and_the_console_show_the_same_text(line: str) -> None:
    shown = shown_text(one_line(line))
    assert show_line(line, PIPE) == shown
    assert without_colours(show_line(line, TERMINAL)) == shown


def test_the_colours_of_a_line_are_kept_on_a_terminal_and_end_with_their_text() -> None:
    assert show_line("\x1b[32mgreen\x1b[0m end", TERMINAL) == "\x1b[32mgreen\x1b[m end"
    assert show_line("\x1b[1;31mred", TERMINAL) == "\x1b[1;31mred\x1b[m"
    assert show_line("\x1b[32mgreen\x1b[0m end", PIPE) == "green end"


def test_binary_data_is_named_with_its_size() -> None:
    size = len(PNG.encode("utf-8", "surrogateescape"))
    assert show_line(PNG, TERMINAL) == show_line(PNG, PIPE) == f"‹binary, {size} bytes›"


def test_a_very_long_line_is_cut_with_a_count_on_a_terminal_and_whole_elsewhere() -> None:
    line = "x" * 400_000
    assert show_line(line, TERMINAL) == "x" * 4096 + "… (+395904 bytes)"
    assert show_line(line, PIPE) == line
    assert show_diff_line(line, TERMINAL) == ("x" * 4096 + "… (+395904 characters)", 395_904)
    assert show_diff_line(line, PIPE) == (line, 0)


@pytest.mark.slow
def test_logs_on_a_terminal_show_what_the_console_shows(run: Cli) -> None:
    layout, unit = Layout(str(run.folder)), container_of(run.agent)
    for text in ("\x1b[32mall green\x1b[0m", *PNG.split("\n"), "last line"):
        journal.append(layout, unit, text)
    terminal = Terminal(run, "logs", run.agent, "-n", "all")
    terminal.end()
    assert "\x1b[32mall green\x1b[m" in terminal.seen
    assert "‹U+001B›" not in terminal.seen
    after = terminal.seen[terminal.seen.index("all green") : terminal.seen.index("last line")]
    assert len(re.findall(r"‹binary, 20\d\d\d bytes›", after)) == 1
    assert after.count("\n") == 2
    piped = run("logs", run.agent, "-n", "all").out
    assert "all green\n" in piped
    assert "\x1b" not in piped


def test_a_diff_on_a_terminal_cuts_a_very_long_line_and_says_how_to_read_it(run: Cli) -> None:
    number = str(run.submit(f'{{ ... }}: {{ environment.variables.A = "{"x" * 400_000}"; }}\n')["id"])
    terminal = Terminal(run, "show", number, "--diff")
    terminal.end()
    assert re.search(r"x… \(\+39\d\d\d\d characters\)", terminal.seen)
    assert "1 line is not shown whole" in terminal.seen
    assert len(terminal.seen) < 10_000
    assert "x" * 400_000 in run("show", number, "--diff").out
    run("withdraw", number)


def test_a_review_on_a_terminal_cuts_very_long_lines_of_messages_and_says_how_to_read_them(run: Cli) -> None:
    message = f"{'t' * 60_000}\n\n{'m' * 60_000}LAST"
    number = str(run.submit('{ ... }: { environment.variables.A = "1"; }\n', message)["id"])
    terminal = Terminal(run, "show", number)
    terminal.end()
    assert re.search(r"t… \(\+55\d\d\d characters\)", terminal.seen)
    assert re.search(r"m… \(\+55\d\d\d characters\)", terminal.seen)
    assert re.search(rf"\d lines are not shown whole. To read all of it: .*show {number} \| less", terminal.seen)
    assert len(terminal.seen) < 30_000
    assert "m" * 60_000 + "LAST" in run("show", number).out
    run("withdraw", number)


def test_an_approval_on_a_terminal_prints_everything_uncut_before_it_asks(run: Cli) -> None:
    text = f"{'x' * 30_000}\x1b]0;owned\x07\u202eEND"
    message = "Title\n\n" + "\n".join(f"line {number}" for number in range(300)) + "\n" + "m" * 9_000 + "LAST"
    number = str(run.submit(f'{{ ... }}: {{ environment.variables.A = "{text}"; }}\n', message)["id"])
    terminal = Terminal(run, "approve", number)
    shown = terminal.until("Type yes: ")
    assert "x" * 30_000 + "‹U+001B›]0;owned‹U+0007›‹U+202E›END" in shown
    assert "m" * 9_000 + "LAST" in shown
    assert "line 299" in shown
    assert "… (+" not in shown[: shown.index("findings:")]
    terminal.type("no")
    assert terminal.end() == 130
    run("withdraw", number)


def test_binary_output_of_an_operation_is_named_once_and_exact_in_json(run: Cli) -> None:
    insert_output(directory_of(Paths(run.folder), 1).path, b"before\n" + PICTURE + b"\nplain\nafter \xf6 \\xf6")
    size = len(PICTURE) - PICTURE.count(CARRIAGE_RETURN)
    named = f"  ! before\n  ! ‹binary, {size} bytes›\n  ! plain\n  ! after ‹\\xf6› \\xf6\n"
    for words in (("operation", "1"), ("operation", "1", "-f")):
        assert named in run(*words).out
    output = run("operation", "1", "--json").json["output"]
    exact = [base64.b64decode(row["text_base64"]) for row in output if "text_base64" in row]
    assert exact[-1] == b"after \xf6 \\xf6"
