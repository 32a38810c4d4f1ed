"""The commands of docs/verify.md check a record without this program, and its tables are those of the program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.events.journal import MESSAGE_IDS
from hivetui.engine.model.records import ProblemCode
from hivetui.engine.records.statements import Decision
from tests.engine.records import reading

if TYPE_CHECKING:
    from tests.engine.conftest import AgentRepos

TEXT = (Path(__file__).parents[3] / "docs/verify.md").read_text()


def section(heading: str) -> str:
    return re.split(r"^## ", TEXT.partition(f"## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(heading: str) -> list[str]:
    rows = [line.split("|")[1:-1] for line in section(heading).splitlines() if line.startswith("|")]
    return [row[0].strip() for row in rows[2:]]


def script(repos: AgentRepos, number: int) -> str:
    """The commands of the section "By hand", for this repo and decision."""
    settings, *steps = re.findall(r"^```sh\n(.*?)^```$", section("By hand"), re.MULTILINE | re.DOTALL)
    values = {"repo": repos.applied.git_dir, "signers": repos.host.paths.allowed_signers, "id": number}
    assert set(re.findall(r"^(\w+)=", settings, re.MULTILINE)) == set(values)
    assert len(steps) == 3
    return "".join(f"{name}={value}\n" for name, value in values.items()) + "".join(steps)


def run(repos: AgentRepos, number: int, folder: Path) -> subprocess.CompletedProcess[str]:
    argv = ["sh", "-eu", "-c", script(repos, number)]
    return subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(("number", "lines"), [(2, 2), (3, 1), (4, 2)])
def test_the_commands_accept_what_was_decided(history: AgentRepos, tmp_path: Path, number: int, lines: int) -> None:
    done = run(history, number, tmp_path)
    assert done.returncode == 0, done
    assert done.stdout.count('Good "git" signature for host') == lines


def edit_the_record(repos: AgentRepos) -> None:
    record = reading.git(repos.applied.git_dir, "cat-file", "blob", "refs/hive/records/3")
    git_dir, other = repos.applied.git_dir, record.replace('"payload":"eyJfdHlwZSI6I', '"payload":"eyJfdHlwZSI6J')
    blob = reading.git(git_dir, "hash-object", "-w", "--stdin", stdin=other.encode() + b"\n")
    reading.git(git_dir, "update-ref", "refs/hive/records/3", blob)


def move_main(repos: AgentRepos) -> None:
    reading.git(repos.applied.git_dir, "update-ref", "refs/heads/main", repos.fetch(repos.commit({"change": "x"})))


def move_the_proposal(repos: AgentRepos) -> None:
    git_dir = repos.applied.git_dir
    reading.git(git_dir, "update-ref", "refs/tags/proposal/3", reading.git(git_dir, "rev-parse", "proposal/2"))


def forget_the_key(repos: AgentRepos) -> None:
    repos.host.paths.allowed_signers.write_text("")


@pytest.mark.parametrize("change", [edit_the_record, move_main, move_the_proposal, forget_the_key])
def test_the_commands_refuse_what_was_changed(history: AgentRepos, tmp_path: Path, change: object) -> None:
    assert callable(change)
    change(history)
    assert run(history, 3, tmp_path).returncode != 0


def test_the_tables_are_those_of_the_program() -> None:
    assert [cell.strip("`") for cell in first_cells("What can be wrong")] == [code.value for code in ProblemCode]
    fields = [name for cell in first_cells("What a record says") for name in re.findall(r"`(\w+)`", cell)]
    assert fields == list(Decision.model_fields)
    rows = re.findall(r"^\| ([a-z ]+) \| `([0-9a-f]{32})` \|$", section("In the journal"), re.MULTILINE)
    assert dict(rows) == MESSAGE_IDS
