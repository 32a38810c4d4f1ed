"""Findings on the command line: shown, counted, refused without acknowledgement, kept with the decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli

TRUST = '{ ... }:\n{\n  nix.settings.trusted-users = [ "%s" ];\n}\n'
FIELDS = {"id", "rule", "severity", "file", "line", "side", "node", "text", "why", "acknowledged"}


def reviewed(proposal: dict[str, Any]) -> tuple[str, ...]:
    return str(proposal["id"]), "--commit", proposal["commit"], "--base", proposal["base"]


def settings(tmp_path: Path, text: str) -> str:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return str(file)


@pytest.mark.slow
def test_proposals_are_listed_by_severity_and_then_by_age(run: Cli) -> None:
    info = run.submit("{ pkgs, ... }:\n{ environment.systemPackages = [ pkgs.jq ]; }\n", "A package")
    high = run.submit("{ ... }:\n{ networking.firewall.allowedTCPPorts = [ 80 ]; }\n", "Open")
    critical = run.submit(TRUST % "fay", "Trust")
    listed = [row["id"] for row in run("proposals", "--json").json["proposals"]]
    assert listed == [critical["id"], high["id"], info["id"]]
    first, second, third = run("proposals").out.splitlines()[1:]
    assert "1 critical" in first
    assert "1 high" in second
    assert "1 info" in third
    for row in (info, high, critical):
        run("withdraw", str(row["id"]))


def test_an_unacknowledged_critical_finding_is_refused_in_words_that_name_it(run: Cli) -> None:
    proposal = run.submit(TRUST % "mallory", "Trust")
    refused = run("approve", *reviewed(proposal))
    assert refused.status == 77
    assert "1 critical finding is not acknowledged" in refused.err
    assert "nix-trust@1:" in refused.err
    assert "agent.nix:3" in refused.err
    (wanted,) = run.acknowledge(proposal["id"])
    assert wanted.replace("=", " ") in refused.err
    assert run("approve", *reviewed(proposal), "--acknowledge", "nix-trust@1:0000000000000000").status == 75
    assert run("show", str(proposal["id"]), "--json").json["proposal"]["state"] == "pending"

    assert run("approve", *reviewed(proposal), wanted).status == 0
    decided = run("show", str(proposal["id"]), "--json").json
    (critical,) = (one for one in decided["proposal"]["findings"] if one["severity"] == "critical")
    assert set(critical) == FIELDS
    assert critical["acknowledged"]["proposal"] == proposal["id"]
    tag = run.applied("cat-file", "-p", f"approved/{proposal['id']}")
    assert wanted.removeprefix("--acknowledge=") in tag


@pytest.mark.slow
def test_what_was_acknowledged_before_says_so_and_is_named_again_but_not_for_a_rollback(run: Cli) -> None:
    first = run.submit(TRUST % "eve", "Trust")
    assert run("approve", *reviewed(first), *run.acknowledge(first["id"])).status == 0
    assert run("approve", *reviewed(run.submit("{ ... }: { }\n", "Trust nobody"))).status == 0
    again = run.submit(TRUST % "eve" + "# again\n", "Trust again")
    (critical,) = (one for one in again["findings"] if one["severity"] == "critical")
    assert critical["acknowledged"]["proposal"] == first["id"]
    assert f"acknowledged in #{first['id']} by" in run("show", str(again["id"])).out
    assert run("approve", *reviewed(again)).status == 77
    assert run("withdraw", str(again["id"])).status == 0
    assert run("rollback", run.agent, "--to", str(first["id"]), "--note", "as before").status == 0


def test_a_forbidden_finding_cannot_be_approved(run: Cli, tmp_path: Path) -> None:
    config = settings(tmp_path, '[review.severity]\nfirewall = "forbid"\n')
    proposal = run.submit("{ ... }:\n{ networking.firewall.allowedTCPPorts = [ 80 ]; }\n", "Open")
    (finding,) = (one for one in proposal["findings"] if one["rule"] == "firewall")
    refused = run("--config", config, "approve", *reviewed(proposal), "--acknowledge", finding["id"])
    assert refused.status == 77
    assert "forbidden" in refused.err
    assert finding["id"] in refused.err
    assert run("withdraw", str(proposal["id"])).status == 0


def test_show_tells_findings_with_their_place_and_why_and_which_rules_ran(run: Cli, tmp_path: Path) -> None:
    proposal = run.submit(TRUST % "gus", "Trust")
    shown = run("show", str(proposal["id"])).out
    assert "findings: 1 critical" in shown
    assert "critical  agent.nix:3  nix-trust@1:" in shown
    assert "who is trusted by nix is root in effect" in shown
    config = settings(tmp_path, '[review.silence]\nnix-trust = "this agent builds for others"\n')
    rules = run("--config", config, "show", str(proposal["id"]), "--json").json["review"]["rules"]
    assert rules["silenced"] == [{"rule": "nix-trust", "reason": "this agent builds for others", "count": 1}]
    assert rules["failed"] == []
    assert rules["ran"] > 50
    run("withdraw", str(proposal["id"]))


def test_rules_are_listed_and_one_is_shown_with_its_examples(run: Cli) -> None:
    rows = run("rules", "--json").json["rules"]
    assert {"id", "version", "severity", "why", "source", "fires", "silent"} <= set(rows[0])
    assert all(row["fires"] and row["silent"] for row in rows)
    assert f"{len(rows)} rules" in run("rules").out
    shown = run("rules", "nix-trust").out
    assert "fires:" in shown
    assert "mallory" in shown
    unknown = run("rules", "nix-trst")
    assert unknown.status == 66
    assert "nix-trust" in unknown.err


def test_an_unknown_rule_in_the_settings_is_78_with_the_nearest(run: Cli, tmp_path: Path) -> None:
    config = settings(tmp_path, '[review.silence]\nnix-trst = "x"\n')
    refused = run("--config", config, "agents")
    assert refused.status == 78
    assert "nix-trust" in refused.err


@pytest.mark.parametrize(("option", "status"), [("services.postfix.**", 0), ("services.exim.**", 1)])
def test_doctor_ends_with_1_for_a_dead_rule(run: Cli, tmp_path: Path, option: str, status: int) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nid = "no-mail"\nversion = 1\nseverity = "high"\nwhy = "Our agents send no mail."\nmatch = "option"\n'
        f'option = "{option}"\nfires = "{{ services.postfix.enable = true; }}"\nsilent = "{{ }}"\n'
    )
    config = settings(tmp_path, f'[review]\nrules = ["{rules}"]\n')
    ended = run("--config", config, "doctor")
    assert ended.status == status, ended.out
    assert ("no-mail" in ended.out) is bool(status)


def test_a_rule_without_examples_is_a_warning(run: Cli, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nid = "no-mail"\nversion = 1\nseverity = "high"\nwhy = "Our agents send no mail."\nmatch = "option"\n'
        'option = "services.postfix.**"\n'
    )
    config = settings(tmp_path, f'[review]\nrules = ["{rules}"]\n')
    codes = [row["code"] for row in run("--config", config, "warnings", "--json").json["warnings"]]
    assert "rule-without-fixture" in codes
