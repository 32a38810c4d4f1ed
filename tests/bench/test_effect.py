"""A preview by the real nix: twelve changed options over three files, its time and the memory of nix."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from hivetui.embedded import remove_embedded
from tests.engine.review.effect.twelve import AFTER, BEFORE, TWELVE, told_in
from tests.free_names import free_name

from .conftest import Figure, Record

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("nix") is None, reason="there is no nix on this machine"),
]
_GIT = ("-c", "user.name=hm1nd", "-c", "user.email=hm1nd")


@pytest.fixture
def real(tmp_path: Path) -> Iterator[tuple[Path, str, dict[str, str]]]:
    """A hive on which the real nix evaluates and builds, its agent, and the environment for its verbs."""
    real_nix = {"HIVETUI_EMBEDDED_NIX": "real", "HIVETUI_EMBEDDED_BUILD_SECONDS": "0"}
    environment = {**os.environ, **real_nix, "XDG_CONFIG_HOME": "/nonexistent"}
    folder, name = tmp_path / "h", free_name()
    try:
        if _run(folder, environment, "spawn", name).returncode == 69:
            pytest.skip("this nix cannot build in a store of its own")
        yield folder, name, environment
    finally:
        remove_embedded(folder)


def test_the_effect_of_twelve_options(record: Record, real: tuple[Path, str, dict[str, str]]) -> None:
    folder, name, environment = real
    before = _submit(folder, environment, name, BEFORE)
    reviewed = ("--commit", before["commit"], "--base", before["base"])
    assert _run(folder, environment, "approve", str(before["id"]), *reviewed).returncode == 0
    number = _submit(folder, environment, name, AFTER)["id"]
    ended = Event()
    memory: list[int] = []
    watching = Thread(target=_watch_memory, args=(ended, memory))
    watching.start()
    began = monotonic()
    effect = json.loads(_run(folder, environment, "preview", str(number)).stdout)["effect"]
    took = monotonic() - began
    ended.set()
    watching.join()
    assert told_in(effect) == TWELVE
    record(Figure("effect of twelve options by nix: time", "s", took))
    record(Figure("effect of twelve options by nix: most memory of one process", "MB", max(memory) / 1024))


def _submit(folder: Path, environment: dict[str, str], name: str, files: dict[str, str]) -> dict[str, Any]:
    """The proposal of a commit of these files."""
    proposed = folder / f"var/lib/hyperhive/agents/{name}/config"
    for file, text in files.items():
        (proposed / file).write_text(text)
    for words in (("add", "--all"), ("commit", "--quiet", "--message", "Change options")):
        subprocess.run(["git", *_GIT, *words], cwd=proposed, check=True)
    found: dict[str, Any] = json.loads(_run(folder, environment, "submit", name).stdout)["proposal"]
    return found


def _run(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(folder), "--json", *words]
    return subprocess.run(argv, env=environment, capture_output=True, check=False)


def _watch_memory(ended: Event, kilobytes: list[int]) -> None:
    """Append the most memory that each process of nix has had, again and again."""
    while not ended.wait(0.05):
        for path in Path("/proc").glob("[0-9]*/status"):
            try:
                status = path.read_text()
            except OSError:
                continue
            if status.startswith("Name:\tnix") and "VmHWM:" in status:
                kilobytes.append(int(status.partition("VmHWM:")[2].split()[0]))
