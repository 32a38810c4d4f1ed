"""The demo's story, off a terminal."""

from __future__ import annotations

import re
import subprocess
import sys
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
