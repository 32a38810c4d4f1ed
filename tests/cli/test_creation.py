"""Which verbs create a hive: one that reads, or that needs an agent, leaves a mistyped directory as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hivetui import cli
from hivetui.cli.console_engine import ConsoleEngine
from hivetui.cli.parser import VERB_NAMES, parse
from hivetui.engine import tool_messages

ARGUMENTS = {
    **dict.fromkeys(
        ("start", "stop", "restart", "rebuild", "destroy", "submit", "request-spawn", "logs", "shell"), ("iris",)
    ),
    **dict.fromkeys(("show", "preview", "withdraw", "retry", "operation", "cancel"), ("1",)),
    "approve": ("1", "--commit", "a" * 40, "--base", "b" * 40),
    "deny": ("1", "--note", "no"),
    "rollback": ("iris", "--to", "0", "--note", "no"),
}
NOT_CREATING = sorted({*VERB_NAMES} - {"demo", "spawn", "engine", "status", "mcp"})


@pytest.mark.parametrize("verb", NOT_CREATING)
def test_a_mistyped_embedded_hive_is_not_created(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typo = tmp_path / "typo"
    assert cli.main(["--embedded", str(typo), verb, *ARGUMENTS.get(verb, ())]) == 66
    what, why, fix = capsys.readouterr().err.splitlines()
    assert what == f"There is no embedded hive in '{typo}'"
    assert why == "The directory does not exist."
    assert fix.endswith(f"hivetui --embedded {typo} spawn NAME")
    assert not typo.exists()


async def test_the_console_says_once_that_it_creates_a_hive(tmp_path: Path) -> None:
    folder = tmp_path / "typo"
    for expected in ([f"New hive in {folder}: there was none"], []):
        engine = ConsoleEngine(parse(["--embedded", str(folder)]))
        try:
            with tool_messages.collected() as messages:
                await (await engine.open()).close()
            assert messages == expected
        finally:
            engine.end()


def test_a_verb_says_that_it_creates_a_hive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "typo"
    command = ["--embedded", str(folder), "spawn", "a-name-that-is-too-long"]
    assert cli.main(command) == 65
    assert capsys.readouterr().err.splitlines()[0] == f"New hive in {folder}: there was none"
    assert cli.main(command) == 65
    assert "New hive" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/nowhere", "/tmp/" + "x" * 300])
def test_a_place_where_no_hive_can_be_is_three_lines(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--embedded", place, "agents"]) == 66
    assert len(capsys.readouterr().err.splitlines()) == 3


@pytest.mark.parametrize("verb", NOT_CREATING)
def test_a_verb_that_reads_creates_nothing_on_a_host_without_a_hive(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools, root = tmp_path / "bin", tmp_path / "root"
    tools.mkdir()
    root.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\nexit 0\n")
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    cli.main(["--root", str(root), verb, *ARGUMENTS.get(verb, ())])
    assert list(root.rglob("*")) == []
    assert "Traceback" not in capsys.readouterr().err


def test_a_host_with_agents_and_no_state_of_hivetui_gets_none_from_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "bin/systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    library = tmp_path / "root/var/lib/hyperhive"
    (library / "agents").mkdir(parents=True)
    assert cli.main(["--root", str(tmp_path / "root"), "operations", "--all"]) == 0
    assert [path.name for path in library.iterdir()] == ["agents"]
