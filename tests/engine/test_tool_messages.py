"""What a program says on stderr although it succeeds is told where its result is shown."""

from __future__ import annotations

import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine import tool_messages
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.host import Command
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.operations import OperationKind, Operator
from hivetui.engine.model.warnings import WarningCode
from hivetui.engine.operations import store
from hivetui.engine.review.difference import stream_difference
from hivetui.engine.review.overview import load_review
from tests.conftest import EmbeddedAgent

if TYPE_CHECKING:
    from tests.engine.conftest import AgentRepos

ANNA = Operator(name="anna", uid=1000, source="local")
MISSING = "git: error: unable to normalize alternate object path: /nonexistent/objects"
GIT_WITH_LIMITS = ("python3", "-I", "launcher.py", "--", "git", "fetch")


@pytest.mark.parametrize(("said", "told"), [(b"half \xf6", "half ‹\\xf6›"), (b"half \\xf6", "half \\xf6")])
def test_a_byte_that_is_not_utf8_is_not_told_as_the_letters_of_its_escape(said: bytes, told: str) -> None:
    with tool_messages.collected() as messages:
        tool_messages.report(("systemctl", "show"), said)
    assert messages == [f"systemctl: {told}"]


def lose_alternate(git_dir: Path) -> None:
    """Make git warn at whatever it reads there, and succeed."""
    (git_dir / "objects/info").mkdir(exist_ok=True)
    (git_dir / "objects/info/alternates").write_text("/nonexistent/objects\n")


def chatty(folder: Path, name: str, program: tuple[str, ...], message: str) -> tuple[str, ...]:
    """A program that does what another one does, and says something on stderr."""
    script = folder / name
    script.write_text(f"#!/bin/sh\necho '{message}' >&2\nexec {' '.join(program)} \"$@\"\n")
    script.chmod(0o755)
    return (str(script),)


@pytest.mark.parametrize(
    ("argv", "stderr", "messages"),
    [
        (("/usr/bin/git", "log"), "warning: a\n\nerror: b\n", ["git: warning: a", "git: error: b"]),
        (GIT_WITH_LIMITS, "remote: Counting objects: 1% (1/9)\rremote: Counting objects: done.\n", []),
        (GIT_WITH_LIMITS, "Receiving objects: 100%\nFrom /x\n * branch a -> b\nwarning: c\n", ["git: warning: c"]),
        (("nix", "build"), "copying 3 paths...\nbuilding '/nix/store/x.drv'...\nevaluating\n", []),
        (
            ("setpriv", "--", "nix", "flake"),
            "fetching\nwarning: ignoring untrusted setting\n       at x:1\nunpacking\n",
            ["nix: warning: ignoring untrusted setting", "nix:        at x:1"],
        ),
        (("nix", "flake"), "warning: not writing modified lock file of flake 'x':\n• Added input 'a':\n    'b'\n", []),
        (
            ("nix", "eval"),
            "trace: look\nevaluation warning: old\n",
            ["nix: trace: look", "nix: evaluation warning: old"],
        ),
        (("ssh-keygen", "-Y", "sign", "-n", "git"), "remote: no agent\n", ["ssh-keygen: remote: no agent"]),
        (("systemctl", "show"), "Unit changed on disk\n", ["systemctl: Unit changed on disk"]),
    ],
)
def test_warnings_are_messages_and_progress_is_not(argv: tuple[str, ...], stderr: str, messages: list[str]) -> None:
    assert list(tool_messages.find_messages(argv, stderr)) == messages


async def test_a_message_is_told_once_however_often_a_program_says_it() -> None:
    heard: list[str] = []
    with tool_messages.heard_by(heard.append):
        for _ in range(3):
            await ProcessRunner().run(Command(("sh", "-c", "echo half is missing >&2")))
    assert heard == ["sh: half is missing"]


async def test_a_program_that_never_stops_warning_fills_no_screen() -> None:
    heard: list[str] = []
    script = "import sys\nfor n in range(100_000): print(n, file=sys.stderr)"
    with tool_messages.heard_by(heard.append):
        await ProcessRunner().run(Command((sys.executable, "-c", script)))
    assert len(heard) == tool_messages.MAX_MESSAGES + 1
    assert heard[-1] == "More messages of programs are not shown"


async def test_a_review_has_the_warnings_of_git(repos: AgentRepos) -> None:
    made = await repos.pin(repos.commit({"agent.nix": "{ a = 1; }\n"}))
    assert (await load_review(repos.host, made.id)).tool_messages == ()
    lose_alternate(repos.applied.git_dir)
    assert (await load_review(repos.host, made.id)).tool_messages == (MISSING,)


async def test_a_diff_that_git_cut_short_of_its_renames_says_so(repos: AgentRepos) -> None:
    text = "a\nb\nc\nd\ne\nf\n"
    base = repos.fetch(repos.commit({f"old{number}": f"{number}\n{text}" for number in range(210)}))
    moved = {f"new{number}": f"{number}\n{text}g\n" for number in range(210)}
    made = await repos.pin(repos.commit(moved | dict.fromkeys(f"old{number}" for number in range(210))))
    (first, *_) = (await load_review(repos.host, made.id, base)).tool_messages
    assert first == "git: warning: exhaustive rename detection was skipped due to too many files."
    heard: list[str] = []
    with tool_messages.heard_by(heard.append):
        async with aclosing(stream_difference(repos.host, made.id, base)) as chunks:
            async for _ in chunks:
                pass
    assert heard[0] == first


async def test_an_operation_records_what_git_warned_of(agent: EmbeddedAgent) -> None:
    lose_alternate(agent.host.paths.meta / ".git")
    ended = await agent.run(OperationKind.REBUILD)
    assert ended.error is None
    entries = [entry async for batch in store.follow(agent.host.paths, ended.id) for entry in batch]
    assert [(entry.stream, entry.text) for entry in entries if entry.text == MISSING] == [("stderr", MISSING)]


async def test_what_systemctl_left_out_is_a_warning_as_long_as_it_says_so(agent: EmbeddedAgent, tmp_path: Path) -> None:
    tools = agent.host.tools
    script = chatty(tmp_path, "systemctl", tools.systemctl, "Failed to read one unit")
    host = replace(agent.host, tools=replace(tools, systemctl=script))
    found = [warning for warning in await LocalHive(host, ANNA).warnings() if warning.code is WarningCode.TOOL_MESSAGE]
    assert [warning.text for warning in found] == ["systemctl: Failed to read one unit"]
    assert WarningCode.TOOL_MESSAGE not in {one.code for one in await LocalHive(agent.host, ANNA).warnings()}
