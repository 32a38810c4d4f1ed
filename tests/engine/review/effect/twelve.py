"""Twelve options that change over three files: some get another value, some are new, some go."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.cli.conftest import Cli, Ran

BEFORE = {
    "agent.nix": """{ pkgs, lib, ... }: {
  imports = [ ./services.nix ./files.nix ];
  environment.systemPackages = [ pkgs.fd ];
  environment.variables = { EDITOR = "nano"; LANG = "C.UTF-8"; };
  networking.hostName = "old-${toString 1}";
}
""",
    "services.nix": """{ ... }: {
  systemd.services.report = {
    script = "true";
    environment.WHEN = "morning";
  };
  systemd.globalEnvironment.TZ = "CET";
}
""",
    "files.nix": """{ ... }: {
  environment.etc.motd.text = "hi\\n";
  environment.etc."docs/a.txt".text = "a";
  lab.talkSeconds = 2;
}
""",
}
AFTER = {
    "agent.nix": """{ pkgs, lib, ... }: {
  imports = [ ./services.nix ./files.nix ];
  environment.systemPackages = [ pkgs.jq ];
  environment.variables = {
    EDITOR = "vim";
    LANG = lib.mkForce "C";
  };
  networking.hostName = "new-${toString 1}";
}
""",
    "services.nix": """{ ... }:
let name = "report"; in
{
  systemd.services.${name} = {
    description = "a report";
    script = "date";
    environment.WHEN = "evening";
  };
}
""",
    "files.nix": """{ ... }: {
  environment.etc.motd.text = "hello\\n";
  lab = { buildSeconds = 0; talkSeconds = 3; };
}
""",
}
BROKEN = """{ ... }: {
  broken.x = 1 + "a";
}
"""
"""A namespace of which the evaluation fails with an error that nothing catches."""


class Told(NamedTuple):
    """What an effect must say of an option."""

    file: str
    line: int
    side: str
    old: str | None
    new: str | None


TWELVE = {
    "environment.systemPackages": Told("agent.nix", 3, "new", '[ "fd-10.2" ]', '[ "jq-1.7" ]'),
    "environment.variables.EDITOR": Told("agent.nix", 5, "new", '"nano"', '"vim"'),
    "environment.variables.LANG": Told("agent.nix", 6, "new", '"C.UTF-8"', '"C"'),
    "networking.hostName": Told("agent.nix", 8, "new", '"old-1"', '"new-1"'),
    "systemd.services.report.description": Told("services.nix", 5, "new", None, '"a report"'),
    "systemd.services.report.script": Told("services.nix", 6, "new", '"true"', '"date"'),
    "systemd.services.report.environment.WHEN": Told("services.nix", 7, "new", '"morning"', '"evening"'),
    "systemd.globalEnvironment.TZ": Told("services.nix", 6, "old", '"CET"', None),
    "environment.etc.motd.text": Told("files.nix", 2, "new", '"hi\\n"', '"hello\\n"'),
    'environment.etc."docs/a.txt".text': Told("files.nix", 3, "old", '"a"', None),
    "lab.buildSeconds": Told("files.nix", 3, "new", None, "0"),
    "lab.talkSeconds": Told("files.nix", 3, "new", "2", "3"),
}


def told_in(effect: dict[str, Any]) -> dict[str, Told]:
    """What the JSON of an effect says of its options."""
    return {one["option"]: Told(*(one[name] for name in Told._fields)) for one in effect["options"]}


def submit_files(run: Cli, files: dict[str, str], message: str = "A change") -> dict[str, Any]:
    """The proposal of a commit of these files."""
    for name, text in files.items():
        (run.proposed / name).write_text(text)
    run.git("add", "--all")
    return run.submit(files["agent.nix"], message)


def deploy_before(run: Cli) -> Ran:
    """Deploy the three files as they are before the change."""
    proposal = submit_files(run, BEFORE, "What runs")
    number = str(proposal["id"])
    return run("approve", number, "--commit", proposal["commit"], "--base", proposal["base"], *run.acknowledge(number))


def preview(run: Cli, number: int) -> tuple[int, dict[str, Any]]:
    """The status of a preview, and the effect as JSON."""
    ran = run("preview", str(number), "--json")
    return ran.status, json.loads(ran.out)["effect"]


def check_twelve_with_a_broken_namespace(run: Cli) -> dict[str, Any]:
    """Deploy, propose and preview the change beside a namespace that fails; the effect, of which the options fit."""
    assert deploy_before(run).status == 0
    files = {**AFTER, "agent.nix": AFTER["agent.nix"].replace("./files.nix", "./files.nix ./broken.nix")}
    proposal = submit_files(run, {**files, "broken.nix": BROKEN}, "Change twelve options")
    try:
        status, effect = preview(run, proposal["id"])
    finally:
        run.git("rm", "--quiet", "services.nix", "files.nix", "broken.nix")
    assert (status, effect["state"], effect["changed"]) == (0, "known", True)
    assert told_in(effect) == TWELVE
    unknown = [(one["namespace"], one["side"]) for one in effect["unknown"] if one["namespace"] != "build"]
    assert unknown == [("broken", "new")]
    return effect
