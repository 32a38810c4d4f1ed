"""The demo's story, off a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from hivetui import cli


def tell(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "hivetui", "demo", *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_tour_tells_its_whole_story_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = tell()
    assert done.returncode == 0, done.stderr
    assert re.search(r"operation \d+, deploy of \w+: succeeded", done.stdout)
    for told in (
        "Three agents",
        "attribute 'ripgrepp' missing",
        "failed; ",
        "was denied: It downloads",
        "has the same port and is running",
    ):
        assert told in done.stdout
    assert list(tmp_path.iterdir()) == []


def start_tour(tmp_path: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "hivetui", "demo", "--tour"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HIVETUI_EMBEDDED_NIX": "stand-in"}
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, env=environment)


def processes_in(folder: Path) -> list[str]:
    """The command lines that name a path in the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").replace("\0", " ")
            found += [words] if str(folder) in words else []
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 130), (signal.SIGHUP, 130), (signal.SIGINT, 130)])
def test_a_tour_that_is_ended_by_a_signal_leaves_nothing(tmp_path: Path, number: int, status: int) -> None:
    process = start_tour(tmp_path)
    assert process.stdout is not None
    while "== build" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == status
    assert errors == ""
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


@pytest.mark.slow
def test_a_tour_whose_reader_is_gone_ends_quietly_and_leaves_nothing(tmp_path: Path) -> None:
    process = start_tour(tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    assert "hive in a folder" in process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        errors = process.stderr.read()
    assert process.wait() == 141
    assert errors == ""
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


@pytest.mark.slow
def test_a_kept_demo_can_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "kept"
    assert tell("--keep", str(folder)).returncode == 0
    assert cli.main(["--embedded", str(folder), "proposals", "--all"]) == 0
    listed = capsys.readouterr().out
    assert [row.split()[3] for row in listed.splitlines()[1:]] == ["denied", "failed", "deployed"]
    again = tell("--keep", str(folder))
    assert again.returncode == 73
    assert "is not empty" in again.stderr
