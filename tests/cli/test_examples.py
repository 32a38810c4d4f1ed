"""The examples and tables of the documentation, against the program: every example runs, every field is explained."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hivetui.cli import parser
from hivetui.engine.model import errors
from hivetui.engine.model.acts import ACTS
from hivetui.engine.model.warnings import Repair
from tests.cli.test_terminal import Terminal
from tests.free_names import free_name

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/command-line.md").read_text()
CHANGE = '{ ... }: { environment.variables.EXAMPLE = "%s"; }\n'
LONG = "{ ... }:\n{\n" + "  # %s\n" + "  # a line\n" * 20 + "}\n"
"""A module with as many lines as an example has notes on."""
STATUSES = {("doctor",): (0, 69), (): (64,)}
"""Where it is not 0: the check of a host depends on the host, and the console is not opened without a terminal."""


def blocks() -> Iterator[list[str]]:
    """The lines of each fenced block that calls the program."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL):
            if language in ("", "sh", "shell", "console") and re.search(r"\bhivetui [a-z]", block):
                yield block.replace("\\\n", "").splitlines()


def commands(elsewhere: bool = False) -> Iterator[list[str]]:
    """The words of each example that is a command by itself, without the name of the program: of those with a host."""
    for lines in blocks():
        if not any("$" in line for line in lines):
            for line in lines:
                program, *words = shlex.split(line, comments=True)
                if program == "ssh":  # to the door of a host, where tests/door logs in
                    continue
                assert program == "hivetui"
                if ("--host" in words) is elsewhere:
                    yield words


def test_there_are_examples() -> None:
    assert len(list(commands())) > 10
    assert scripts()


def scripts() -> list[str]:
    return ["\n".join(lines) for lines in blocks() if any("$" in line for line in lines)]


def pending(run: Cli, module: str = CHANGE) -> str:
    return str(run.submit(module % free_name())["id"])


def deploy(run: Cli, module: str = CHANGE) -> None:
    proposal = run.submit(module % free_name())
    done = run("approve", str(proposal["id"]), "--commit", proposal["commit"], "--base", proposal["base"])
    assert done.status == 0


def adapt(run: Cli, words: list[str]) -> list[str]:
    """The example with the names and ids of this hive, in which what it needs has been prepared."""
    verb = words[0] if words else ""
    if verb == "spawn":  # the port of the manager is one for the machine, and tests run beside each other
        return [verb, free_name()]
    if "--against" in words:
        denied = pending(run)
        assert run("deny", denied, "--note", "no").status == 0
        words = [f"denied/{denied}" if word.startswith("denied/") else word for word in words]
    if "--line" in words:
        deploy(run, LONG)
        words = [verb, pending(run, LONG), *words[2:]]
    elif verb in ("show", "preview", "approve", "deny", "withdraw"):
        words = [verb, pending(run), *words[2:]]
    if verb == "submit":
        run.commit(CHANGE % free_name())
    if verb == "rollback":
        deploy(run)
        words = ["0" if before == "--to" else word for before, word in zip(["", *words], words, strict=False)]
    if verb == "operation":
        words = [verb, str(run("operations", "--all", "--json").json["operations"][0]["id"]), *words[2:]]
    return [run.agent if word == "iris" else word for word in words]


def follow(run: Cli, words: list[str]) -> int:
    """Run an example that only ends when it is interrupted, after its first line."""
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(run.folder), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        return process.wait()


def example(words: list[str]) -> Any:
    marks = [pytest.mark.slow] if words[:1] in (["spawn"], ["rollback"], ["preview"]) or "--line" in words else []
    return pytest.param(words, id=" ".join(words) or "hivetui", marks=marks)


@pytest.mark.parametrize("words", map(example, commands()))
def test_every_example_runs_as_it_is_written(run: Cli, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    adapted = adapt(run, words)
    if words[:1] == ["approve"]:  # it asks, since commit and base are not given
        terminal = Terminal(run, *adapted)
        terminal.until("Type yes: ")
        terminal.type("yes")
        assert terminal.end() == 0
        return
    if words[:1] == ["logs"]:
        assert follow(run, adapted) == errors.Interrupted.code
        return
    monkeypatch.setattr("hivetui.console.terminal.splash.is_terminal_usable", lambda: False)
    ended = run(*adapted)
    assert ended.status in STATUSES.get(tuple(words), (0,)), ended.err


@pytest.mark.slow
@pytest.mark.parametrize("script", scripts())
def test_every_script_runs_as_it_is_written(run: Cli, script: str) -> None:
    program = shlex.join([sys.executable, "-m", "hivetui", "--embedded", str(run.folder)])
    adapted = re.sub(r"\b7\b", pending(run), script)
    words = ["bash", "-euc", f'hivetui() {{ {program} "$@"; }}\n{adapted}']
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading of the reference, as the code in their first cell and the rest."""
    section = REFERENCE.partition(f"# {heading}\n")[2].partition("\n#")[0]
    assert section, heading
    lines = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in cells] for cells in lines[1:]]


def fields(heading: str) -> set[str]:
    return {name for row in rows(heading) for name in re.findall(r"`([\w-]+)`", row[0])}


def test_every_field_of_the_json_is_explained(run: Cli) -> None:
    number = pending(run)
    shown: dict[str, Any] = run("operation", "1", "--json").json
    values = {
        "An agent": run("agents", "--json").json["agents"][0],
        "A proposal": run("show", number, "--json").json["proposal"],
        "A review": run("show", number, "--json").json["review"],
        "A check (`doctor`)": run("doctor", "--json").json["checks"][0],
        "A repair": Repair.model_fields,
        "A verification": run("verify", "--json").json["verify"],
        "A file": run("show", number, "--json").json["proposal"]["files"][0],
        "An operation": shown["operation"],
        "An entry of `output`": shown["output"][0],
        "A deploy (`history`)": run("history", "--json").json["history"][0],
        "A line of a log": run("logs", run.agent, "-n", "1", "--json").json["lines"][0],
    }
    assert {heading: fields(heading) for heading in values} == {
        heading: set(value) for heading, value in values.items()
    }


def test_every_status_is_explained() -> None:
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    documented = {int(row[0]) for row in rows("Exit status")}
    assert documented == codes | {0, 141}


def test_the_table_of_what_asks_is_that_of_the_program() -> None:
    documented = {row[0].strip("`"): (row[1], row[2].strip("`–")) for row in rows("What asks")}
    assert documented == {name: (act.tier.value, act.answer) for name, act in ACTS.items()}


def test_every_verb_says_what_it_prints() -> None:
    assert fields("JSON") == {*parser.VERB_NAMES} - {"demo", "engine", "serve", "mcp", "shell"}
