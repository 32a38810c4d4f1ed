"""The comparison by the real nix: that of a module system with options, and canaries that must read and run nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivetui import cli
from hivetui.embedded import end_agents, open_embedded
from hivetui.embedded.layout import Layout
from hivetui.engine.model.settings import Settings
from hivetui.engine.review.effect import comparison
from hivetui.engine.review.effect.options import compare_options
from tests.cli.conftest import Cli
from tests.engine.review.effect import twelve
from tests.free_names import free_name

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nix") is None, reason="there is no nix on this machine"),
]

SYSTEM = """
value: let
  option = value: { _type = "option"; inherit value; isDefined = true; internal = false; readOnly = false; };
  package = { type = "derivation"; name = "jq-1.7"; outPath = throw "it is not built"; };
in rec {
  options = {
    services.app = {
      enable = option value.enable;
      port = option 80 // { isDefined = value.enable; };
      package = option package // { type.name = "package"; };
      users = option { alice = { shell = value.shell; groups = [ "a" ]; }; };
      broken = option (throw "no");
      secret = option value.enable // { internal = true; };
      made = option value.enable // { readOnly = true; };
      anything = option (x: x) // { type.name = "raw"; };
    };
    broken = if value.enable then option (1 + "a") else option 1;
    system.build = throw "not compared";
    system.name = option value.shell;
  };
  config = {
    environment.systemPackages = [ package "fd-1" ];
    systemd.units."a.service".text = "[Service]\\nUser=${value.shell}\\n";
    environment.etc.x.text = value.shell;
    system.build.toplevel = { drvPath = "/d-${value.shell}"; outPath = "/o-${value.shell}"; };
  };
}
"""


def evaluate(tmp_path: Path, attribute: str) -> Any:
    (tmp_path / "compare.nix").write_bytes(comparison.compare_source())
    old, new = '{ enable = false; shell = "sh"; }', '{ enable = true; shell = "zsh"; }'
    text = f"let system = {SYSTEM}; in (import {tmp_path}/compare.nix (system {old}) (system {new})).{attribute}"
    environment = {**os.environ, "NIX_CONFIG": "experimental-features = nix-command flakes", "HOME": str(tmp_path)}
    words = ["nix", "eval", "--json", "--impure", "--store", f"{tmp_path}/store", "--expr", text]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def test_options_of_a_module_system_are_compared_leaf_by_leaf_and_internal_ones_are_counted(tmp_path: Path) -> None:
    changes = {name: evaluate(tmp_path, f"changes.{name}") for name in ("services", "system")}
    options, unknown, hidden = compare_options(changes, {}, lambda path, side: None)
    assert [(one.option, one.old, one.new) for one in options] == [
        ("services.app.enable", "false", "true"),
        ("services.app.port", None, "80"),
        ("services.app.users.alice.shell", '"sh"', '"zsh"'),
        ("system.name", '"sh"', '"zsh"'),
    ]
    assert {(one.namespace, one.side) for one in unknown} == {
        ("services.app.broken", "old"),
        ("services.app.broken", "new"),
    }
    assert hidden == 3


def test_a_namespace_with_an_error_that_cannot_be_caught_fails_by_itself_on_its_side(tmp_path: Path) -> None:
    assert evaluate(tmp_path, "namespaces") == ["broken", "services", "system"]
    assert "cannot" in evaluate(tmp_path, "changes.broken")
    assert evaluate(tmp_path, "check.old.broken") is True
    assert "cannot" in evaluate(tmp_path, "check.new.broken")


def test_sides_tell_derivation_packages_units_and_files(tmp_path: Path) -> None:
    assert evaluate(tmp_path, "new") == {
        "derivation": "/d-zsh",
        "system": "/o-zsh",
        "packages": [["d", "jq-1.7"], ["s", "fd-1"]],
        "units": {"a.service": ["s", "[Service]\nUser=zsh\n"]},
        "etc": {"x": ["a", {"source": ["n"], "text": ["s", "zsh"]}]},
    }


# On an embedded hive with the real nix


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder, name, patch = tmp_path_factory.mktemp("real") / "h", free_name(), pytest.MonkeyPatch()
    patch.setenv("HIVETUI_EMBEDDED_NIX", "real")
    patch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")
    patch.setenv("HIVETUI_DEPLOY__HEALTH_SECONDS", "0")
    patch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    try:
        if cli.main(["--embedded", str(folder), "spawn", name]) == 69:
            pytest.skip("this nix cannot build in a store of its own")
        yield folder, name
    finally:
        end_agents(folder)
        patch.undo()


@pytest.fixture
def run(real: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(*real, capsys)


def preview(run: Cli, module: str) -> tuple[int, dict[str, Any]]:
    ran = run("preview", str(run.submit(module)["id"]), "--json")
    return ran.status, ran.json["effect"]


def test_what_was_previewed_is_what_is_deployed(run: Cli) -> None:
    number = run.submit('{ pkgs, ... }: { environment.systemPackages = [ pkgs.jq ]; broken.x = 1 + "a"; }')["id"]
    effect = run("preview", str(number), "--json").json["effect"]
    assert [(one["option"], one["new"]) for one in effect["options"]] == [
        ("environment.systemPackages", '[ "jq-1.7" ]')
    ]
    assert [(one["namespace"], one["side"]) for one in effect["unknown"]] == [("broken", "new")]
    proposal = run("show", str(number), "--json").json["proposal"]
    reviewed = ("--commit", proposal["commit"], "--base", proposal["base"], "--effect", effect["derivation"])
    assert run("approve", str(number), *reviewed).status == 0
    profile = run.folder / f"nix/var/nix/profiles/per-container/h-{run.agent}/system"
    assert str(profile.resolve()) == effect["system"]


def test_packages_that_are_built_are_compared_by_closure_with_their_sizes_and_services_by_exposure(run: Cli) -> None:
    system = f"{os.uname().machine}-linux"
    script = "echo 12345 > $out; exit 0"
    package = (
        f'derivation {{ name = "tool-2.1"; system = "{system}"; builder = "/bin/sh"; args = [ "-c" "{script}" ]; }}'
    )
    module = (
        f"{{ ... }}: {{ environment.systemPackages = [ ({package}) ];\n"
        "  systemd.services.harness.serviceConfig.PrivateNetwork = true; }"
    )
    status, effect = preview(run, module)
    assert status == 0
    if effect["unknown"]:
        pytest.skip(effect["unknown"][0]["why"])
    added = {one["name"]: one for one in effect["packages"]["added"]}
    assert added["tool"]["version"] == "2.1"
    assert added["tool"]["bytes"] > 0
    assert effect["packages"]["bytes"]["new"] > effect["packages"]["bytes"]["old"] > 0
    (changed,) = effect["units"]["changed"]
    assert changed["unit"] == "harness.service"
    assert changed["fields"] == [{"field": "serviceConfig.PrivateNetwork", "old": None, "new": "true"}]
    if shutil.which("systemd-analyze"):
        assert changed["exposure"]["new"] < changed["exposure"]["old"]


@pytest.fixture
def secret(tmp_path: Path) -> tuple[Path, str]:
    """A repo of the host that a proposal must not read, and its commit."""
    repo = tmp_path / "secret"
    repo.mkdir()
    (repo / "key").write_text("the key")
    who = ("-c", "user.name=x", "-c", "user.email=x@y")
    for words in (("init", "-q"), ("add", "key"), (*who, "commit", "-qm", "x")):
        subprocess.run(["git", *words], cwd=repo, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repo, check=True, capture_output=True, text=True)
    return repo, head.stdout.strip()


CANARIES = {
    "fetchGit": 'builtins.readFile "${builtins.fetchGit { url = "file://@REPO@"; rev = "@REV@"; }}/key"',
    "fetchTree": 'builtins.readFile "${fetchTree { type = "git"; url = "file://@REPO@"; rev = "@REV@"; }}/key"',
    "fetchurl": 'builtins.readFile (builtins.fetchurl { url = "file://@REPO@/key"; sha256 = "@SHA@"; })',
    "readFile": "builtins.readFile @REPO@/key",
    "path": 'builtins.readFile (builtins.path { path = "@REPO@/key"; })',
    "getEnv": 'builtins.readFile (builtins.getEnv "HOME" + "/x")',
}
SHA = "sha256-OgqsRIMuVVKKg0/sc3eGyZnnuN6ovWAbtZ8ZUjfViy4="


@pytest.mark.parametrize("canary", CANARIES)
def test_a_canary_that_reads_the_host_reads_nothing_and_is_told_in_words(
    run: Cli, canary: str, secret: tuple[Path, str]
) -> None:
    text = CANARIES[canary].replace("@REPO@", str(secret[0])).replace("@REV@", secret[1]).replace("@SHA@", SHA)
    status, effect = preview(run, f"{{ ... }}: {{ environment.etc.x.text = {text}; }}")
    assert (status, effect["failure"]["stage"]) == (1, "evaluation")
    assert "the key" not in json.dumps(effect)
    assert effect["failure"]["lines"]


def test_building_during_evaluation_is_stopped_in_words(run: Cli, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    built = (
        'import (derivation { name = "m"; system = builtins.currentSystem or "x86_64-linux"; builder = "/bin/sh"; '
        f'args = [ "-c" "echo > {mark}; echo 1 > $out" ]; }})'
    )
    status, effect = preview(run, f"{{ ... }}: {{ environment.etc.x.text = toString ({built}); }}")
    assert (status, effect["failure"]["stage"]) == (1, "evaluation")
    assert not mark.exists()


def test_an_evaluation_that_never_ends_is_ended_as_a_limit(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVETUI_REVIEW__EVAL_TIMEOUT", "4")
    endless = "let f = n: if n == 0 then 0 else f (n - 1) + f (n - 1); in toString (f 60)"
    status, effect = preview(run, f"{{ ... }}: {{ environment.etc.x.text = {endless}; }}")
    assert (status, effect["failure"]["stage"]) == (1, "limit")
    assert "review.eval_timeout" in json.dumps(effect["failure"])


def test_an_evaluation_that_eats_memory_is_ended_as_a_limit(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVETUI_REVIEW__EVAL_MEMORY", "1G")
    eater = "toString (builtins.length (builtins.genList (x: [ x x x x ]) 200000000))"
    deep = f"builtins.deepSeq (builtins.genList (x: [ x (x + 1) ]) 100000000) ({eater})"
    status, effect = preview(run, f"{{ ... }}: {{ environment.etc.x.text = {deep}; }}")
    assert (status, effect["failure"]["stage"]) == (1, "limit")


def test_a_builder_of_the_proposal_sees_nothing_of_the_host_and_no_network(
    run: Cli, secret: tuple[Path, str], tmp_path: Path
) -> None:
    mark = tmp_path / "written"
    script = f"echo seen: $(cat {secret[0]}/key); echo > {mark}; echo devices: $(cat /proc/net/dev | grep -c :); exit 1"
    system = f"{os.uname().machine}-linux"
    builder = (
        f'derivation {{ name = "leak"; system = "{system}"; builder = "/bin/sh"; PATH = "/bin:/usr/bin"; '
        f'args = [ "-c" "{script}" ]; }}'
    )
    status, effect = preview(run, f"{{ ... }}: {{ environment.systemPackages = [ ({builder}) ]; }}")
    if effect["unknown"]:
        pytest.skip(effect["unknown"][0]["why"])
    lines = "\n".join(effect["failure"]["lines"])
    assert (status, effect["failure"]["stage"]) == (1, "build")
    assert "seen:" in lines
    assert "the key" not in lines
    assert "devices: 1" in lines
    assert not mark.exists()


def test_an_unlocked_path_input_and_a_lock_that_names_another_place_are_refused_before_evaluation(run: Cli) -> None:
    flake = '{ inputs.x.url = "path:/etc"; outputs = { self, x }: { nixosModules.default = import ./agent.nix; }; }\n'
    lock = {
        "version": 7,
        "root": "root",
        "nodes": {
            "root": {"inputs": {"x": "x"}},
            "x": {"locked": {"type": "path", "path": "/etc"}, "original": {"type": "path", "path": "/etc"}},
        },
    }
    before = (run.proposed / "flake.nix").read_text()
    (run.proposed / "flake.nix").write_text(flake)
    (run.proposed / "flake.lock").write_text(json.dumps(lock))
    run.git("add", "--all")
    status, effect = preview(run, "{ ... }: { }")
    (run.proposed / "flake.nix").write_text(before)
    run.git("rm", "--quiet", "--force", "flake.lock")
    run.git("add", "--all")
    assert (status, effect["failure"]["stage"]) == (1, "inputs")
    assert "path" in json.dumps(effect["failure"]["lines"])


MIXED = """{ pkgs, lib, config, ... }: {
  environment.systemPackages = [ pkgs.jq pkgs.fd ] ++ lib.optional (config ? never) pkgs.go;
  environment.variables = { A = "${toString 2}"; B = "x \\"y\\" \\${z}"; };
  environment.etc."a/b".text = ''
    two
    lines
  '';
  systemd.services.x = { script = "date"; environment.N = "1"; serviceConfig = { }; };
  lab.talkSeconds = 1.5;
  own = { list = [ 1 [ 2 null true ] { c = -3; } ]; empty = [ ]; file = ./agent.nix; call = x: x; };
  thrown.one = throw "no";
  thrown.two = assert false; 1;
}
"""


def test_the_stand_in_compares_as_the_real_nix_does(run: Cli) -> None:
    old = run.applied("rev-list", "--max-parents=0", "main").strip()  # nothing that another test has deployed
    new = run.submit(MIXED)["commit"]
    host = open_embedded(run.folder, Settings())
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=host.paths.meta, text=True).strip()
    told = []
    with comparison.written(host, run.agent, old, new, head) as flake:
        for program in (host.tools.nix, tuple(Layout(run.folder).stand_in("nix"))):
            words = [*program, "eval", "--json", "--no-write-lock-file", *flake.overrides]
            changes, sources, side = (
                json.loads(subprocess.check_output([*words, f"{flake.flake}#{attribute}"]))
                for attribute in ("changes", "sources", "new")
            )
            options, unknown, hidden = compare_options(changes, sources, lambda path, side: None)
            told.append((options, unknown, hidden, side["packages"], side["units"], side["etc"]))
    assert told[0] == told[1]
    assert {one.option for one in told[0][0]} >= {"own.list", "own.file", "own.call", "lab.talkSeconds"}


def test_twelve_changed_options_over_three_files_are_told_by_nix_with_old_new_file_and_line(run: Cli) -> None:
    """As the last of the file: it deploys what the others do not begin with."""
    twelve.check_twelve_with_a_broken_namespace(run)
