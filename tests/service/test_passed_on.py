"""Lists as JSON through the service: the same as those that are built here, and little is imported for them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EmbeddedAgent
from tests.service.conftest import EngineProcess

_SAMPLED = {"memory_bytes", "cpu_percent", "tasks"}
_HEAVY = ("asyncio", "pydantic")
_ENGINE = {
    *("agents", "containers", "deploy", "events", "git", "hive", "meta", "nix", "operations", "proposals", "records"),
    *("recovery", "review", "state", "verification", "worker"),
}
"""What is not api, model, or what the settings are read with."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("agents",), ("proposals", "--all"), ("operations", "--all"), ("warnings",)], ids=" ".join
)
def test_a_list_is_the_same_whether_passed_on_or_built_here(
    engine: EngineProcess, agent: EmbeddedAgent, words: tuple[str, ...]
) -> None:
    agent.commit("  # changed\n")
    _run(engine.folder, "submit", agent.name, "-m", "why \u202e \U0001f4a5")
    passed_on, imported = _run(engine.folder, *words, "--json")
    built, _ = _run(engine.folder, *words, "--json", HIVETUI_ENGINE__SERVICE="never")
    assert _still(json.loads(passed_on)) == _still(json.loads(built))
    assert json.loads(passed_on)["schema"] == "hivetui/1"
    assert not [name for name in _HEAVY if f" {name}\n" in imported]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("agents",),
        ("show", "1", "--diff"),
        ("logs", "AGENT", "-n", "1"),
        ("operations", "--all"),
        ("deny", "1", "--note", "no"),
        ("restart", "AGENT"),
    ],
    ids=lambda words: words[0],
)
def test_a_verb_with_a_service_imports_no_engine(
    engine: EngineProcess, agent: EmbeddedAgent, words: tuple[str, ...]
) -> None:
    agent.commit("  # changed\n")
    _run(engine.folder, "submit", agent.name)
    _, imported = _run(engine.folder, *(agent.name if word == "AGENT" else word for word in words))
    packages = {name.split(".")[2] for name in re.findall(r"\| +(hivetui\.engine\.\w+)", imported)}
    assert packages & _ENGINE == set()
    _, alone = _run(engine.folder, "agents", HIVETUI_ENGINE__SERVICE="never")
    assert "hivetui.engine.hive\n" in alone


@pytest.mark.slow
def test_an_error_of_the_service_is_that_of_the_verb(engine: EngineProcess) -> None:
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(engine.folder), "history", "nobody", "--json"]
    refused = subprocess.run(argv, capture_output=True, check=False)
    assert refused.returncode == 66
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == 66
    assert error["what"] in refused.stderr.decode()


def _run(folder: Path, *words: str, **environment: str) -> tuple[bytes, str]:
    """What a verb prints, and what it says on stderr: each module that it imports among the rest."""
    argv = [sys.executable, "-X", "importtime", "-m", "hivetui", "--embedded", str(folder), *words]
    ended = subprocess.run(argv, capture_output=True, check=True, env={**os.environ, **environment})
    return ended.stdout, ended.stderr.decode()


def _still(content: Any) -> Any:
    """The same without what is measured anew each time."""
    if isinstance(content, dict):
        return {key: _still(value) for key, value in content.items() if key not in _SAMPLED}
    return [_still(one) for one in content] if isinstance(content, list) else content


def test_wrong_settings_are_refused_although_the_service_has_its_own(engine: EngineProcess, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[limit]\n")
    for words in (("--config", str(wrong)), ("--config", str(tmp_path / "missing.toml"))):
        argv = [sys.executable, "-m", "hivetui", "--embedded", str(engine.folder), *words, "agents", "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 78, done.stderr
    environment = {**os.environ, "HIVETUI_LIMITS__MEMORY_MAX": "lots"}
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(engine.folder), "agents", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False, env=environment)
    assert done.returncode == 78, done.stderr
