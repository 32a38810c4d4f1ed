import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hivetui.embedded import remove_embedded
from hivetui.engine.host.host import Host
from tests.embedded.conftest import Rig

MODULE = """
{ pkgs, lib, ... }:
let greeting = "it's ${"fine"}"; in
{
  imports = [ ({ ... }: { environment.etc."imported".text = "yes"; }) ];
  environment = {
    variables.EDITOR = "vim";
    systemPackages = with pkgs; [ ripgrep jq ];
    etc."motd".text = ''
      ${greeting}
        indented ''${not} this
    '';
  };
  systemd.services.watcher = { description = "a watcher"; environment.DEPTH = 3; script = "exec true"; };
  networking.hostName = lib.mkForce "iris";
}
"""


def system(rig: Rig) -> Path:
    return (rig.work / "out").readlink()


def test_a_candidate_is_built_from_a_commit_that_no_lock_names(rig: Rig) -> None:
    lock = (rig.meta / "flake.lock").read_bytes()
    rig.build_of(MODULE, "-o", str(rig.work / "out"), check=True)
    built = system(rig)
    assert re.fullmatch(r"[0-9a-z]{32}-nixos-system-iris-embedded", built.name)
    assert built.parent == rig.root / "nix/store"
    assert (built / "env").read_text() == f"EDITOR=vim\nHIVE_LABEL=iris\nHIVE_PORT={rig.port}\n"
    assert (built / "etc/motd").read_text() == "it's fine\n  indented ${not} this\n"
    assert (built / "etc/imported").read_text() == "yes"
    assert (built / "sw/packages").read_text() == "ripgrep-14.1\njq-1.7\n"
    assert 'Environment="DEPTH=3"' in (built / "units/watcher.service").read_text()
    assert (rig.meta / "flake.lock").read_bytes() == lock


def test_modules_are_imported_by_a_relative_path_with_a_name_in_it(rig: Rig) -> None:
    (rig.applied / "mods").mkdir()
    for name in ("a", "b"):
        (rig.applied / f"mods/{name}.nix").write_text(f'{{ ... }}: {{ environment.variables.MOD_{name} = "{name}"; }}')
    module = '{ ... }: { imports = map (r: ./mods/${r}.nix) [ "a" "b" ]; }'
    rig.build_of(module, "-o", str(rig.work / "out"), check=True)
    assert (system(rig) / "env").read_text().splitlines()[-2:] == ["MOD_a=a", "MOD_b=b"]


def test_a_system_may_say_when_its_agent_ends_with_an_error(rig: Rig) -> None:
    rig.build_of("{ lab.exitSeconds = 1.5; }", "-o", str(rig.work / "out"), check=True)
    assert float((system(rig) / "exit-seconds").read_text()) == 1.5
    rig.build_of("{ }", "-o", str(rig.work / "out"), check=True)
    assert not (system(rig) / "exit-seconds").exists()


def test_the_lock_decides_which_commit_is_built(rig: Rig) -> None:
    rig.change('{ environment.variables.NEW = "1"; }')
    rig.build("--no-update-lock-file", "-o", str(rig.work / "out"), check=True)
    assert "NEW" not in (system(rig) / "env").read_text()
    rig.nix("flake", "lock", "--update-input", "agent-iris", f"git+file://{rig.meta}", check=True)
    rig.build("-o", str(rig.work / "out"), check=True)
    assert "NEW=1" in (system(rig) / "env").read_text()


def test_a_build_streams_its_log_and_fails_on_demand(rig: Rig) -> None:
    done = rig.build_of('{ lab.fail = "no rule to make target"; }', "-L", "--no-link")
    assert done.returncode == 1
    assert "nixos-system-agent-embedded> making units" in done.stderr
    assert "failed with exit code 1" in done.stderr
    assert "no rule to make target" in done.stderr


def test_a_function_that_calls_itself_for_ever_is_an_error_and_no_crash(rig: Rig) -> None:
    for call in (
        "builtins.all (x: f (n + 1)) [ 1 ]",
        "builtins.sort (a: b: f (n + 1)) [ 1 2 ]",
        "builtins.foldl' (a: b: f (n + 1)) 0 [ 1 ]",
        "builtins.deepSeq { a = f (n + 1); } 1",
        "builtins.toJSON [ (f (n + 1)) ]",
        "map (x: builtins.head (f (n + 1))) [ 1 ]",
    ):
        done = rig.nix("eval", "--json", "--expr", f"let f = n: {call}; in f 0")
        assert done.returncode == 1, call
        assert done.stderr.startswith("error: stack overflow (possible infinite recursion)"), call


def test_a_syntax_error_is_shown_with_its_place(rig: Rig) -> None:
    done = rig.build_of("{\n  environment.variables.A = 1\n}\n", "--no-link")
    assert done.returncode == 1
    assert "error: syntax error, unexpected '}'" in done.stderr
    assert re.search(r"at \S+-source/agent\.nix:3:1:", done.stderr)


def test_an_unknown_name_is_an_error_with_its_place(rig: Rig) -> None:
    done = rig.build_of("{ environment.variables.A = nothing; }", "--no-link")
    assert done.returncode == 1
    assert "undefined variable 'nothing'" in done.stderr
    assert "agent.nix:1:29" in done.stderr


def test_a_file_of_the_machine_cannot_be_read(rig: Rig) -> None:
    done = rig.build_of('{ environment.variables.A = builtins.readFile "/etc/hostname"; }', "--no-link")
    assert done.returncode == 1
    assert "forbidden in pure eval" in done.stderr


def test_events_are_written_for_who_asks_for_them(rig: Rig) -> None:
    done = rig.build_of('{ environment.variables.B = "2"; }', "--log-format", "internal-json", "-v", "--no-link")
    events = [json.loads(line[5:]) for line in done.stderr.splitlines() if line.startswith("@nix ")]
    lines = [event["fields"][0] for event in events if event["action"] == "result" and event["type"] == 101]
    assert "making etc" in lines
    assert any(event["action"] == "start" and event["type"] == 105 for event in events)


def test_metadata_tells_the_commit_the_lock_and_an_honest_hash(rig: Rig) -> None:
    told = json.loads(rig.nix("flake", "metadata", "--json", f"git+file://{rig.meta}", check=True).stdout)
    assert told["locked"]["rev"] == rig.git(rig.meta, "rev-parse", "HEAD")
    assert told["locks"] == json.loads((rig.meta / "flake.lock").read_text())
    assert told["locks"]["nodes"]["agent-iris"]["locked"]["rev"] == rig.git(rig.applied, "rev-parse", "HEAD")


def test_a_lock_that_would_have_to_change_is_refused_when_it_may_not(rig: Rig) -> None:
    (rig.meta / "flake.lock").unlink()
    rig.git(rig.meta, "rm", "-q", "--cached", "flake.lock")
    done = rig.build("--no-update-lock-file", "--no-link")
    assert done.returncode == 1
    assert "--no-update-lock-file" in done.stderr


def test_a_lock_with_a_wrong_hash_is_refused(rig: Rig) -> None:
    lock = json.loads((rig.meta / "flake.lock").read_text())
    lock["nodes"]["agent-iris"]["locked"]["narHash"] = "sha256-" + "A" * 43 + "="
    (rig.meta / "flake.lock").write_text(json.dumps(lock))
    assert "hash mismatch" in rig.build("--no-link").stderr


def test_a_profile_is_switched_and_keeps_its_generations(rig: Rig) -> None:
    rig.create()
    rig.use('{ environment.variables.C = "3"; }')
    profile = rig.host.paths.profile("iris")
    assert "C=3" in (profile / "env").read_text()
    assert profile.readlink() == Path("system-2-link")
    assert (profile.parent / "system-1-link").exists()


def test_a_path_outside_of_the_store_is_no_system(rig: Rig) -> None:
    profile = rig.work / "profile"
    assert rig.run(rig.host.tools.nix_env, "-p", str(profile), "--set", "/etc").returncode == 1
    assert not profile.exists()


def test_what_a_killed_build_left_is_built_again(played: Rig) -> None:
    played.build("-o", str(played.work / "out"), check=True)
    built = system(played)
    (played.root / "nix/var/valid" / built.name).unlink()
    (built / "env").unlink()
    played.build("-o", str(played.work / "out"), check=True)
    assert (built / "env").exists()


def test_the_stand_in_says_what_it_does_not_know(played: Rig) -> None:
    done = played.nix("flake", "metadata", "github:NixOS/nixpkgs")
    assert done.returncode == 1
    assert "the embedded nix does not support" in done.stderr


HOSTILE = {
    "deep nesting": "{ a = " + "[" * 50_000 + "]" * 50_000 + "; }",
    "deep sets": "{ a = " + "{ a = " * 20_000 + "1" + "; }" * 20_000 + "; }",
    "a deep name": "{ " + "a." * 20_000 + "a = 1; }",
    "deep parentheses": "{ environment.variables.A = " + "(" * 20_000 + "1" + ")" * 20_000 + "; }",
    "an endless function": "let f = n: f (n + 1); in { environment.variables.A = f 0; }",
    "a doubled string": "let "
    + "".join(f'a{n} = "${{a{n - 1}}}${{a{n - 1}}}"; ' for n in range(1, 60))
    + 'a0 = "xxxxxxxx"; in { environment.variables.A = a59; }',
    "a doubled list": "let "
    + "".join(f"a{n} = a{n - 1} ++ a{n - 1}; " for n in range(1, 60))
    + "a0 = [ 1 ]; in { environment.systemPackages = a59; }",
    "a comparison of doubled lists": "let "
    + "".join(f"a{n} = [ a{n - 1} a{n - 1} ]; b{n} = [ b{n - 1} b{n - 1} ]; " for n in range(1, 60))
    + "a0 = 1; b0 = 1; in { environment.variables.A = a59 == b59; }",
    "imports of itself": "{ imports = [ ./agent.nix ]; }",
    "doubled imports": "let "
    + "".join(f"m{n} = {{ imports = [ m{n - 1} m{n - 1} ]; }}; " for n in range(1, 60))
    + "m0 = { }; in m59",
    "a word that the lexer reads again and again": "{ a = " + "1+" * 100_000 + "1; }",
    "a huge file": "{ }" + " " * (2 << 20),
    "a NUL byte": '{ environment.variables.A = "\0"; }',
    "a huge number": "{ environment.variables.A = " + "9" * 10_000 + "; }",
    "brackets that are not closed": "{ a = " + "[" * 50_000,
}


SOON_REFUSED = ("deep nesting", "an endless function", "a doubled string", "imports of itself", "a NUL byte")
"""The others, which go the same way, are for the slow suite."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SOON_REFUSED else pytest.mark.slow) for name in HOSTILE]
)
def test_a_hostile_module_ends_in_words(played: Rig, name: str) -> None:
    done = played.build_of(HOSTILE[name], "--no-link")
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)
    if done.returncode:
        assert done.stderr.startswith("error: ") or "\nerror: " in done.stderr


def test_both_nixes_build_the_same_system(embed: Callable[..., Host], tmp_path: Path) -> None:
    if shutil.which("nix") is None:
        pytest.skip("nix is not installed")
    trees = []
    for nix in ("stand-in", "real"):
        host = embed(nix=nix)
        rig = Rig(host, 1)
        rig.make()
        rig.build_of(MODULE, "-o", str(rig.work / "out"), check=True)
        built = system(rig)
        trees.append({str(path.relative_to(built)): path.read_bytes() for path in built.rglob("*") if path.is_file()})
        remove_embedded(host.paths.root)
    assert trees[0] == trees[1]


LOCKS = {
    "not JSON": "{",
    "another shape": "[]",
    "nodes that are not locked": '{"version": 7, "root": "root", "nodes": {"root": {}, "a": {}}}',
    "deep nesting": "[" * 100_000,
    "doubled inputs": json.dumps(
        {
            "version": 7,
            "root": "n0",
            "nodes": {
                f"n{number}": {
                    "inputs": {"a": f"n{number + 1}", "b": f"n{number + 1}"} if number < 40 else {},
                    "locked": {"narHash": "sha256-"},
                    "original": {"type": "git", "url": "file:///nowhere"},
                }
                for number in range(41)
            },
        }
    ),
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_hostile_lock_file_ends_in_words(played: Rig, name: str) -> None:
    (played.applied / "flake.lock").write_text(LOCKS[name])
    done = played.build_of("{ }", "--no-link")
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)
    if done.returncode:
        assert done.stderr.startswith("error: ")
