"""The verbs on a terminal: questions, Ctrl-C, a closed pipe."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.acts import describe_consequence
from tests.warm.programs import WarmProgram

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

SLOW = "{ ... }: { lab.buildSeconds = 60; }\n"


class Terminal:
    """The program on a terminal of its own; what it wrote is read until a text comes."""

    def __init__(self, run: Cli, *words: str) -> None:
        self.master, slave = pty.openpty()
        self.seen = ""
        self.process = WarmProgram(["--embedded", str(run.folder), *words], os.environ, slave, slave, False)
        os.close(slave)

    def until(self, text: str) -> str:
        while text not in self.seen:
            self.seen += os.read(self.master, 65536).decode("utf-8", "replace")
        return self.seen

    def type(self, text: str) -> None:
        os.write(self.master, text.encode() + b"\n")

    def end(self) -> int:
        with suppress(OSError):  # EIO: nobody has the other side open any more
            while data := os.read(self.master, 65536):
                self.seen += data.decode("utf-8", "replace")
        os.close(self.master)
        return self.process.wait()


@pytest.fixture
def slow(run: Cli) -> Iterator[dict[str, str]]:
    """A proposal whose build takes a minute; whoever builds it is cancelled at the end."""
    yield {key: str(value) for key, value in run.submit(SLOW).items()}
    for row in run("operations", "--json").json["operations"]:
        run("cancel", str(row["id"]))


def approval(proposal: dict[str, str]) -> list[str]:
    return ["approve", proposal["id"], "--commit", proposal["commit"], "--base", proposal["base"]]


@pytest.mark.slow
def test_approve_shows_the_review_and_wants_yes_typed(run: Cli) -> None:
    proposal = run.submit('{ ... }: { environment.variables.A = "\N{LATIN SMALL LETTER O WITH DIAERESIS}"; }\n')
    terminal = Terminal(run, "approve", str(proposal["id"]))
    assert "+{ ... }: { environment.variables.A" in terminal.until("Type yes: ")
    terminal.type("yes")
    assert terminal.end() == 0
    assert "succeeded" in terminal.seen


def test_critical_findings_are_acknowledged_one_by_one_and_then_the_name_is_typed(run: Cli) -> None:
    two = 'boot.tmp.useTmpfs = true; environment.variables.A = "\x1b]0;x\x07";'
    proposal = run.submit("{ ... }: {\n" + two.replace("; ", ";\n") + "\n}\n")
    terminal = Terminal(run, "approve", str(proposal["id"]))
    shown = terminal.until("Acknowledge 1 of 2? Type yes: ")
    assert "boot.tmp.useTmpfs = true" in shown
    assert "\x1b" not in shown
    terminal.type("yes")
    terminal.until("Acknowledge 2 of 2? Type yes: ")
    terminal.type("yes")
    terminal.until("Type the agent's name: ")
    terminal.type(run.agent)
    assert terminal.end() == 0
    found = run("show", str(proposal["id"]), "--json").json["proposal"]["findings"]
    assert [one["acknowledged"]["proposal"] for one in found if one["severity"] == "critical"] == [proposal["id"]] * 2


@pytest.mark.parametrize("answers", [["no"], ["yes", "yes"], ["yes", ""]])
def test_a_critical_finding_that_is_not_acknowledged_approves_nothing(run: Cli, answers: list[str]) -> None:
    number = str(run.submit("{ ... }: { boot.tmp.cleanOnBoot = true; }\n")["id"])
    terminal = Terminal(run, "approve", number)
    for prompt, answer in zip(("Type yes: ", "Type the agent's name: "), answers, strict=False):
        terminal.until(prompt)
        terminal.type(answer)
    assert terminal.end() == 130
    assert run("withdraw", number, "--json").json["proposal"]["state"] == "withdrawn"


@pytest.mark.parametrize("answer", ["", "YES", *(pytest.param(word, marks=pytest.mark.slow) for word in ("y", "no"))])
def test_anything_but_yes_approves_nothing(run: Cli, answer: str) -> None:
    number = str(run.submit("{ ... }: { }\n")["id"])
    terminal = Terminal(run, "approve", number)
    terminal.until("Type yes: ")
    terminal.type(answer)
    assert terminal.end() == 130
    assert run("withdraw", number, "--json").json["proposal"]["state"] == "withdrawn"


def test_purge_wants_the_name_typed(run: Cli) -> None:
    terminal = Terminal(run, "destroy", run.agent, "--purge")
    terminal.until("Type its name: ")
    terminal.type("yes")
    assert terminal.end() == 130
    assert run("agents", "--json").json["agents"][0]["state"] == "running"


@pytest.mark.parametrize(
    "verb", ["destroy", *(pytest.param(verb, marks=pytest.mark.slow) for verb in ("stop", "rebuild"))]
)
def test_a_disruptive_verb_asks_on_a_terminal_as_the_console_does(run: Cli, verb: str) -> None:
    operations = run("operations", "--all", "--json").json
    terminal = Terminal(run, verb, run.agent)
    shown = terminal.until("Type yes: ")
    assert f"{verb.capitalize()} {run.agent}? {describe_consequence(verb)}" in shown
    terminal.type("y")
    assert terminal.end() == 130
    assert "Nothing was done" in terminal.seen
    assert run("operations", "--all", "--json").json == operations


@pytest.mark.slow
def test_several_agents_are_named_in_one_question(run: Cli) -> None:
    terminal = Terminal(run, "restart", run.agent, "nobody")
    shown = terminal.until("Type yes: ")
    assert f"Restart 2 agents ({run.agent}, nobody)? Their work in progress is lost." in shown
    terminal.type("no")
    assert terminal.end() == 130


def test_an_unknown_agent_is_reported_before_anything_is_asked(run: Cli) -> None:
    terminal = Terminal(run, "destroy", "nobody")
    assert terminal.end() == 66
    assert "Type yes" not in terminal.seen


def test_yes_answers_beforehand(run: Cli) -> None:
    terminal = Terminal(run, "restart", run.agent, "--yes")
    assert terminal.end() == 0
    assert "Type yes" not in terminal.seen
    assert f"restart of {run.agent}: succeeded" in terminal.seen


@pytest.mark.slow
def test_withdrawing_and_cancelling_ask_on_a_terminal(run: Cli, slow: dict[str, str]) -> None:
    terminal = Terminal(run, "withdraw", slow["id"])
    assert f"Withdraw proposal {slow['id']} of {run.agent} (A change)?" in terminal.until("Type yes: ")
    terminal.type("")
    assert terminal.end() == 130
    running = Terminal(run, *approval(slow))
    running.until("== build")
    (row,) = run("operations", "--json").json["operations"]
    terminal = Terminal(run, "cancel", str(row["id"]))
    assert f"Cancel deploy of {run.agent} (operation {row['id']})?" in terminal.until("Type yes: ")
    terminal.type("yes")
    assert terminal.end() == 0
    assert running.end() == 130


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["", "not on Friday"])
def test_a_denial_asks_for_its_reason_on_a_terminal_as_the_console_does(run: Cli, answer: str) -> None:
    number = str(run.submit("{ ... }: { }\n# denied here\n")["id"])
    terminal = Terminal(run, "deny", number)
    terminal.until(f"Deny proposal {number} of {run.agent} (A change)? Why? ")
    terminal.type(answer)
    assert terminal.end() == (0 if answer else 130)
    found = run("show", number, "--json").json["proposal"]
    assert (found["state"], found["note"]) == (("denied", answer) if answer else ("pending", None))
    run("withdraw", number)


@pytest.mark.slow
def test_a_rollback_asks_for_its_reason_on_a_terminal_as_the_console_does(run: Cli) -> None:
    deployed = run.submit('{ ... }: { environment.variables.A = "rolled back"; }\n')
    assert run(*approval({key: str(value) for key, value in deployed.items()})).status == 0
    operations = run("operations", "--all", "--json").json
    terminal = Terminal(run, "rollback", run.agent, "--to", "0")
    terminal.until(f"Roll back {run.agent} to #0? Why? ")
    terminal.type("")
    assert terminal.end() == 130
    assert "A reason is required." in terminal.seen
    assert run("operations", "--all", "--json").json == operations
    terminal = Terminal(run, "rollback", run.agent, "--to", "0")
    terminal.until("Why? ")
    terminal.type("it was slow")
    assert terminal.end() == 0
    assert run("history", "--json").json["history"][0]["note"] == "it was slow"


def test_ctrl_c_leaves_the_operation_running_and_says_how_to_follow_it(run: Cli, slow: dict[str, str]) -> None:
    terminal = Terminal(run, *approval(slow))
    terminal.until("== build")
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == 130
    (row,) = run("operations", "--json").json["operations"]
    assert row["state"] == "running"
    assert f"hivetui --embedded {run.folder} operation {row['id']} -f" in terminal.seen
    assert f"hivetui --embedded {run.folder} cancel {row['id']}" in terminal.seen
    assert "Traceback" not in terminal.seen


@pytest.mark.slow
def test_the_error_for_a_busy_agent_names_its_operation(run: Cli, slow: dict[str, str]) -> None:
    terminal = Terminal(run, *approval(slow))
    terminal.until("== build")
    ended = run("stop", run.agent, "--json")
    assert ended.status == 75
    assert "deploy of" in ended.error["why"]
    (row,) = run("operations", "--json").json["operations"]
    assert run("cancel", str(row["id"]), "--json").json["operation"]["state"] == "cancelled"
    assert terminal.end() == 130
    assert run("operation", str(row["id"]), "-f").status == 130
    assert run("show", slow["id"], "--json").json["proposal"]["state"] == "failed"


def test_a_closed_terminal_ends_the_verb_and_not_the_operation(run: Cli, slow: dict[str, str]) -> None:
    terminal = Terminal(run, *approval(slow))
    terminal.until("== build")
    os.close(terminal.master)
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.process.wait() in (130, 141)
    assert len(run("operations", "--json").json["operations"]) == 1


def test_a_verb_that_writes_to_a_terminal_that_is_gone_ends_without_a_traceback(run: Cli) -> None:
    """A hang-up reaches a process of another session by nothing but its next write."""
    terminal = Terminal(run, "logs", run.agent, "-f", "-n", "1")
    terminal.until(run.agent)
    os.close(terminal.master)
    assert terminal.process.wait() == 141


def test_a_killed_verb_does_not_end_the_operation(run: Cli, slow: dict[str, str]) -> None:
    terminal = Terminal(run, *approval(slow))
    terminal.until("== build")
    terminal.process.kill()
    terminal.end()
    (row,) = run("operations", "--json").json["operations"]
    assert row["state"] == "running"
    late = Terminal(run, "operation", str(row["id"]), "-f")
    assert late.until("== build").index("== lock") < late.seen.index("== build")
    late.process.kill()
    late.end()


def test_a_closed_pipe_is_not_a_traceback(run: Cli) -> None:
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(run.folder), "logs", run.agent, "-f", "-n", "all"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_pipe_that_is_closed_ends_a_log_that_has_no_more_lines(run: Cli) -> None:
    argv = [
        sys.executable,
        "-m",
        "hivetui",
        "--embedded",
        str(run.folder),
        "logs",
        run.agent,
        "-f",
        "--grep",
        "^never$",
    ]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_following_logs_ends_with_ctrl_c(run: Cli) -> None:
    terminal = Terminal(run, "logs", run.agent, "-f", "-n", "1")
    terminal.until(run.agent)
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == 130
    assert "Traceback" not in terminal.seen


@pytest.mark.parametrize("words", [["agents"], ["agents", "--json"], ["logs", "AGENT", "-n", "all"]])
def test_output_that_cannot_be_written_is_an_error_and_not_a_traceback(run: Cli, words: list[str]) -> None:
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(run.folder), *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [run.agent if word == "AGENT" else word for word in argv],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 73
    assert done.stderr.splitlines()[:2] == ["The output could not be written", "No space left on device."]
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize(
    "closed", ["<&- >&- 2>&-", *(pytest.param(one, marks=pytest.mark.slow) for one in ("<&-", ">&-", "2>&-"))]
)
@pytest.mark.parametrize(("word", "status"), [("agents", 0), ("nonsense", 64)])
def test_closed_standard_streams_are_no_traceback(run: Cli, closed: str, word: str, status: int) -> None:
    program = shlex.join([sys.executable, "-m", "hivetui", "--embedded", str(run.folder), word])
    done = subprocess.run(["sh", "-c", f"{program} {closed}"], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
