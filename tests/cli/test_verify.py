"""The verb verify on a hive with a real agent: what runs counts too, and what is wrong is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

CHANGE = '{ ... }: { environment.variables.VERIFIED = "%s"; }\n'


def deploy(run: Cli, value: str) -> int:
    made = run.submit(CHANGE % value)
    reviewed = ("--commit", made["commit"], "--base", made["base"])
    assert run("approve", str(made["id"]), *reviewed, *run.acknowledge(made["id"])).status == 0
    return int(made["id"])


@pytest.mark.slow
def test_a_deploy_and_a_rebuild_verify_and_a_system_of_neither_is_named(run: Cli, tmp_path: Path) -> None:
    first, second = deploy(run, "one"), deploy(run, "two")
    assert run("rebuild", run.agent).status == 0
    good = run("verify", run.agent)
    assert good.status == 0, good
    assert "No problems" in good.out
    assert f"rebuild: {run.agent}, operation" in good.out

    profile = run.folder / f"nix/var/nix/profiles/per-container/h-{run.agent}/system"
    kept = profile.readlink()
    profile.unlink()
    profile.symlink_to((run.folder / f"var/lib/hyperhive/engine/roots/{run.agent}/{first}").readlink())
    bad = run("verify", "--json")
    profile.unlink()
    profile.symlink_to(kept)
    (problem,) = bad.json["verify"]["problems"]
    assert (bad.status, problem["code"], problem["proposal"]) == (1, "system-differs", second)
    assert "records" in [one["code"] for one in run("warnings", "--json").json["warnings"]]
    assert run("verify").status == 0
    assert "records" not in [one["code"] for one in run("warnings", "--json").json["warnings"]]

    signers = tmp_path / "signers"
    shutil.copy(run.folder / "var/lib/hyperhive/engine/allowed_signers", signers)
    assert run("verify", "--signers", str(signers)).status == 0
    signers.write_text("")
    refused = run("verify", "--signers", str(signers))
    assert refused.status == 1
    assert f"signer-not-allowed: #{second} of {run.agent}" in refused.out
    assert run("verify", "--signers", str(tmp_path / "none")).status == 65
    assert run("verify", "nobody").status == 66


def test_main_that_was_moved_by_hand_is_named_by_agent_and_commit(run: Cli) -> None:
    main, commit = run.applied("rev-parse", "main").strip(), run.submit(CHANGE % "three")["commit"]
    run.applied("update-ref", "refs/heads/main", commit)
    moved = run("verify")
    run.applied("update-ref", "refs/heads/main", main)
    assert moved.status == 1
    assert f"main-without-record: {run.agent} {commit[:12]}" in moved.out
    assert run("verify").status == 0
