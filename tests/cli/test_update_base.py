"""update-base locks the base flake of all agents elsewhere, builds nothing, and says who is outdated then."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


def base_git(run: Cli, *words: str) -> str:
    identity = ("-c", "user.name=base", "-c", "user.email=base")
    folder = run.folder / "var/lib/embedded/base"
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def locked(run: Cli) -> dict[str, Any]:
    lock = json.loads((run.folder / "var/lib/hyperhive/meta/flake.lock").read_text())
    node: dict[str, Any] = lock["nodes"]["hyperhive"]
    return node


def agent(run: Cli) -> dict[str, Any]:
    (found,) = run("agents", "--json").json["agents"]
    return dict(found)


def test_the_newest_revision_is_locked_and_agents_are_outdated_until_they_are_rebuilt(run: Cli) -> None:
    old, before = base_git(run, "rev-parse", "HEAD"), locked(run)
    assert run("update-base", "--json").json["base"] == {"old": old, "new": old, "outdated": []}
    base_git(run, "commit", "--quiet", "--allow-empty", "--message", "Newer")
    new, since = base_git(run, "rev-parse", "HEAD"), agent(run)["since"]
    done = run("update-base")
    assert done.status == 0
    assert f"{old} -> {new}" in done.out
    assert f"outdated: {run.agent}" in done.out
    assert (locked(run)["locked"]["rev"], locked(run)["original"]) == (new, before["original"])
    assert (agent(run)["needs_update"], agent(run)["since"]) == (True, since)  # it was not restarted
    assert run("rebuild", run.agent).status == 0
    assert not agent(run)["needs_update"]
    assert locked(run)["locked"]["rev"] == new

    # Back to the revision before, which only --to can name
    found = run("update-base", "--to", old, "--json").json["base"]
    assert found == {"old": new, "new": old, "outdated": [run.agent]}
    assert locked(run)["original"] == before["original"]
    assert run("rebuild", run.agent).status == 0
    assert (locked(run)["locked"]["rev"], agent(run)["needs_update"]) == (old, False)
    assert run("verify").status == 0


def test_a_revision_that_the_base_flake_does_not_have_changes_nothing(run: Cli) -> None:
    before = locked(run)
    assert run("update-base", "--to", "f" * 40).status == 1
    assert run("update-base", "--to", "-x").status == 64
    assert run("update-base", "--to", "a b").status == 65
    assert locked(run) == before
