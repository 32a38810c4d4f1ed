"""What a proposal would do, on the command line: `preview`, `show`, and an approval that is bound to the effect."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from hivetui.embedded import open_embedded
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.host import Command, Completed, LineSink, Runner
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.errors import Stale
from hivetui.engine.model.settings import Settings
from tests.cli.conftest import Cli, Ran
from tests.engine.review.effect import twelve
from tests.engine.review.effect.twelve import preview
from tests.moved_base import move_base
from tests.runners import WrappedRunner


def test_before_a_preview_nothing_is_known_and_a_missing_proposal_is_66(run: Cli) -> None:
    number = run.submit('{ ... }: { environment.variables.A = "1"; }')["id"]
    assert run("show", str(number), "--json").json["proposal"]["effect"]["state"] == "none"
    shown = run("show", str(number)).out
    assert f"effect: not known; find out with: hivetui --embedded {run.folder} preview {number}" in shown
    assert run("preview", "999").status == 66


@pytest.mark.slow
def test_a_namespace_that_cannot_be_evaluated_is_unknown_and_the_rest_is_known(run: Cli) -> None:
    module = '{ ... }: { environment.variables.B = "1"; broken.x = 1 + "a"; lazy.y = throw "no"; }'
    status, effect = preview(run, run.submit(module)["id"])
    assert (status, effect["state"]) == (0, "known")
    unknown = {(one["namespace"], one["side"]) for one in effect["unknown"]}
    assert {("broken", "new"), ("lazy.y", "new")} <= unknown
    assert "environment.variables.B" in {one["option"] for one in effect["options"]}


@pytest.mark.slow
def test_a_change_of_nothing_that_runs_has_no_effect(run: Cli) -> None:
    current = run.applied("cat-file", "blob", "main:agent.nix")
    status, effect = preview(run, run.submit(f"# a remark\n{current}")["id"])
    assert (status, effect["changed"], effect["options"], effect["restart"]["stops"]) == (0, False, [], [])


@pytest.mark.slow
def test_an_evaluation_that_fails_is_explained_with_its_place_and_the_nearest_name(run: Cli) -> None:
    module = "{ pkgs, ... }: {\n  environment.systemPackages = [ pkgs.ripgrepp ];\n}\n"
    status, effect = preview(run, run.submit(module)["id"])
    failure = effect["failure"]
    assert (status, effect["state"], failure["stage"]) == (1, "failed", "evaluation")
    assert (failure["file"], failure["line"], failure["base"]) == ("agent.nix", 2, "builds")
    assert failure["hint"] == "There is no attribute ripgrepp; the nearest is ripgrep."


@pytest.mark.slow
def test_a_build_that_fails_is_explained_with_its_derivation_and_last_lines(run: Cli) -> None:
    status, effect = preview(run, run.submit('{ ... }: { lab.fail = "a link leads nowhere"; }')["id"])
    if effect["unknown"]:
        pytest.skip(effect["unknown"][0]["why"])
    failure = effect["failure"]
    assert (status, effect["state"], failure["stage"], failure["base"]) == (1, "failed", "build", "builds")
    assert failure["derivation"].endswith("-embedded.drv")
    assert any("a link leads nowhere" in line for line in failure["lines"])


@pytest.mark.slow
def test_a_decided_proposal_is_not_previewed(run: Cli) -> None:
    number = str(run.submit("{ ... }: { }")["id"])
    assert run("withdraw", number).status == 0
    error = run("preview", number, "--json").error
    assert error["code"] == 75
    assert error["what"] == f"Proposal {number} was withdrawn; it is no longer pending"


# Approving the effect that was shown


def approve(run: Cli, number: int, *more: str) -> Ran:
    proposal = run("show", str(number), "--json").json["proposal"]
    reviewed = ("--commit", proposal["commit"], "--base", proposal["base"], *run.acknowledge(number))
    return run("approve", str(number), *reviewed, *more, "--json")


def test_an_effect_that_has_moved_is_refused_and_says_which_input_moved_from_what_to_what(run: Cli) -> None:
    number = run.submit('{ ... }: { environment.variables.MOVED = "1"; }')["id"]
    _, effect = preview(run, number)
    old = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=run.folder / "var/lib/embedded/base", text=True)
    move_base(run.folder, talk_seconds=4)
    new = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=run.folder / "var/lib/embedded/base", text=True)
    refused = approve(run, number, "--effect", effect["derivation"])
    assert refused.status == 75
    assert refused.error["what"] == f"Proposal {number} was not approved: its effect has moved"
    assert f"hyperhive has moved: {old[:12]} → {new[:12]}" in refused.error["why"]
    shown = run("show", str(number), "--json").json["proposal"]
    assert (shown["state"], shown["effect"]["state"]) == ("pending", "outdated")
    assert shown["effect"]["moved"] == [{"input": "hyperhive", "old": old.strip(), "new": new.strip()}]


class MovesBack(WrappedRunner):
    """Undoes the last commit of meta as soon as something was evaluated."""

    def __init__(self, runner: Runner, meta: Path) -> None:
        super().__init__(runner)
        self._meta = meta

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        done = await super().run(command, sink)
        if "eval" in command.argv:
            self._move_back()
        return done

    def _move_back(self) -> None:
        subprocess.run(["git", "reset", "--quiet", "--hard", "HEAD~1"], cwd=self._meta, check=True)


@pytest.mark.slow
def test_a_refusal_names_what_had_moved_when_it_was_evaluated(run: Cli) -> None:
    """By the time of the refusal, meta is back where the effect was shown."""
    number = run.submit('{ ... }: { environment.variables.BACK = "1"; }')["id"]
    _, effect = preview(run, number)
    move_base(run.folder, talk_seconds=21)
    host = open_embedded(run.folder, Settings())

    async def approve_it() -> None:
        hive = LocalHive(replace(host, runner=MovesBack(host.runner, host.paths.meta)), from_environment(os.environ))
        pending = (await hive.review(number)).proposal
        await hive.approve(number, pending.commit, pending.base, effect=effect["derivation"])

    with pytest.raises(Stale, match="its effect has moved") as refused:
        asyncio.run(approve_it())
    assert "hyperhive has moved: " in refused.value.why
    assert run("show", str(number), "--json").json["proposal"]["effect"]["state"] == "known"


def test_a_required_effect_that_is_not_given_or_not_known_is_77(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    number = run.submit('{ ... }: { environment.variables.REQUIRED = "1"; }')["id"]
    monkeypatch.setenv("HIVETUI_REVIEW__REQUIRE_EFFECT", "true")
    refused = approve(run, number)
    assert refused.status == 77
    assert "no known effect was given" in refused.error["what"]
    assert approve(run, number, "--effect", "/nix/store/x.drv").status == 77
    assert run("show", str(number), "--json").json["proposal"]["state"] == "pending"


@pytest.mark.slow
def test_the_derivation_that_was_shown_is_deployed_and_recorded_and_nothing_is_evaluated_again(run: Cli) -> None:
    number = run.submit('{ ... }: { environment.variables.SHOWN = "1"; }')["id"]
    _, effect = preview(run, number)
    done = approve(run, number, "--effect", effect["derivation"])
    assert done.status == 0
    assert f"building what was approved, {effect['derivation']}" in done.err
    profile = run.folder / f"nix/var/nix/profiles/per-container/h-{run.agent}/system"
    assert str(profile.resolve()) == effect["system"]
    tag = json.loads(run.applied("cat-file", "tag", f"approved/{number}").rstrip().splitlines()[-1])
    assert tag["effect"]["derivation"] == effect["derivation"]
    assert tag["effect"]["system"] == effect["system"]
    assert len(tag["effect"]["digest"]) == 64
    decided = run("show", str(number), "--json").json["proposal"]
    assert (decided["state"], decided["effect"]) == ("deployed", effect)


@pytest.mark.slow
def test_a_derivation_that_nobody_was_shown_is_refused(run: Cli) -> None:
    number = run.submit('{ ... }: { environment.variables.OTHER = "1"; }')["id"]
    other = approve(run, number, "--effect", "/nix/store/x.drv")
    assert other.status == 75
    assert "No preview of this proposal has found that derivation" in other.error["why"]


@pytest.mark.slow
def test_an_approval_without_the_effect_is_recorded_as_unbound(run: Cli) -> None:
    number = run.submit('{ ... }: { environment.variables.UNBOUND = "1"; }')["id"]
    assert approve(run, number).status == 0
    tag = json.loads(run.applied("cat-file", "tag", f"approved/{number}").rstrip().splitlines()[-1])
    assert tag["effect"] is None


@pytest.mark.slow
def test_with_the_setting_always_a_pinned_proposal_is_previewed_by_itself_and_its_surplus_is_found(
    run: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVETUI_REVIEW__PREVIEW", "always")
    module = "{ pkgs, ... }: { environment.systemPackages = [ pkgs.jq pkgs.fd ]; }"
    number = run.submit(module, "Add jq\n\nIntent: packages jq")["id"]
    (preview_of,) = [
        one["id"] for one in run("operations", "--all", "--json").json["operations"] if one["proposal"] == number
    ]
    assert run("operation", str(preview_of), "-f").status == 0
    proposal = run("show", str(number), "--json").json["proposal"]
    assert "packages fd" in proposal["effect"]["intent"]["surplus"]
    assert ("intent-surplus", "high", "surplus packages fd") in {
        (one["rule"], one["severity"], one["text"]) for one in proposal["findings"]
    }


@pytest.mark.slow
def test_an_option_that_only_the_effect_shows_must_be_acknowledged_to_be_approved(run: Cli) -> None:
    """The text says neither `root` nor `firewall`."""
    module = """{ ... }:
let
  join = builtins.concatStringsSep "";
  helper = name: value: { ${join [ "fire" "wall" ]}.${name} = value; };
in {
  users.users.${join [ "ro" "ot" ]}.shell = "/bin/zsh";
  networking = helper "allowedTCPPorts" [ 8080 ];
}
"""
    number = run.submit(module)["id"]
    before = {one["rule"] for one in run("show", str(number), "--json").json["proposal"]["findings"]}
    assert not before & {"root-account", "firewall"}
    _, effect = preview(run, number)
    proposal = run("show", str(number), "--json").json["proposal"]
    found = {one["rule"]: one for one in proposal["findings"]}
    root, opened = found["root-account"], found["firewall"]
    assert (root["severity"], root["file"], root["line"]) == ("critical", "agent.nix", 6)
    assert root["text"] == 'users.users.root.shell: not defined → "/bin/zsh"'
    assert (opened["severity"], opened["file"]) == ("high", "agent.nix")
    assert opened["text"] == "networking.firewall.allowedTCPPorts: not defined → [ 8080 ]"
    reviewed = ("--commit", proposal["commit"], "--base", proposal["base"], "--effect", effect["derivation"])
    refused = run("approve", str(number), *reviewed, "--json")
    assert refused.status == 77
    assert root["id"] in refused.error["why"]
    assert run("approve", str(number), *reviewed, *run.acknowledge(number), "--json").status == 0


@pytest.mark.slow
def test_previews_that_are_switched_off_are_77(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    number = run.submit('{ ... }: { environment.variables.OFF = "1"; }')["id"]
    monkeypatch.setenv("HIVETUI_REVIEW__PREVIEW", "never")
    assert run("preview", str(number), "--json").error["code"] == 77


@pytest.mark.slow
def test_a_lock_that_moves_during_the_build_leaves_what_was_shown_and_the_agent_is_outdated(run: Cli) -> None:
    module = '{ ... }: { environment.variables.RACED = "1"; lab.buildSeconds = 5; }'
    number = run.submit(module)["id"]
    _, effect = preview(run, number)
    assert effect["state"] == "known"
    system = Path(effect["system"])
    if system.exists():  # built by the preview; it is to be built while the lock moves
        shutil.rmtree(system)
        (run.folder / "nix/var/valid" / system.name).unlink()
    proposal = run("show", str(number), "--json").json["proposal"]
    words = ("--commit", proposal["commit"], "--base", proposal["base"], "--effect", effect["derivation"])
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(run.folder), "approve", str(number), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "making environment" in line:
                move_base(run.folder, talk_seconds=9)
    assert process.returncode == 0
    profile = run.folder / f"nix/var/nix/profiles/per-container/h-{run.agent}/system"
    assert str(profile.resolve()) == effect["system"]
    (agent,) = run("agents", "--json").json["agents"]
    assert agent["needs_update"] is True


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["approve", "rebuild"])
def test_a_base_that_moves_during_a_build_without_an_effect_leaves_the_agent_outdated(run: Cli, verb: str) -> None:
    """It was built with the base before, so a rebuild would change it."""
    number = run.submit(f'{{ ... }}: {{ environment.variables.UNSHOWN = "{verb}"; lab.buildSeconds = 4; }}')["id"]
    if verb == "rebuild":
        assert approve(run, number).status == 0
        move_base(run.folder, talk_seconds=31)
    proposal = run("show", str(number), "--json").json["proposal"]
    approval = ("approve", str(number), "--commit", proposal["commit"], "--base", proposal["base"])
    words = approval if verb == "approve" else ("rebuild", run.agent)
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(run.folder), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "making environment" in line:
                move_base(run.folder, talk_seconds=32 if verb == "rebuild" else 33)
    assert process.returncode == 0
    (agent,) = run("agents", "--json").json["agents"]
    assert agent["needs_update"] is True


@pytest.mark.slow
def test_twelve_changed_options_over_three_files_are_told_with_old_new_file_and_line(run: Cli) -> None:
    """As the last of the file: it deploys what the others do not begin with."""
    effect = twelve.check_twelve_with_a_broken_namespace(run)
    assert [one["name"] for one in effect["packages"]["added"]] == ["jq"]
    assert [one["name"] for one in effect["packages"]["removed"]] == ["fd"]
    (unit,) = effect["units"]["changed"]
    assert {one["field"]: (one["old"], one["new"]) for one in unit["fields"]} == {
        "description": (None, "a report"),
        "script": ("true", "date"),
        "environment.WHEN": ("morning", "evening"),
    }
    assert (effect["etc"]["changed"], effect["etc"]["removed"]) == (["motd"], ["docs/a.txt"])
    operations = run("operations", "--all", "--json").json["operations"]
    last = next(one for one in operations[1:] if one["progress"] and one["progress"]["built"])["progress"]
    took = datetime.fromisoformat(last["ended_at"]) - datetime.fromisoformat(last["started_at"])
    assert effect["work"]["last_seconds"] == pytest.approx(took.total_seconds())
    number = str(next(one["proposal"] for one in operations if one["kind"] == "preview"))
    assert run("show", number, "--json").json["proposal"]["effect"] == effect
    text = run("show", number).out
    assert "systemd.services.report.script  services.nix:6" in text
    assert "effect: known" in text
