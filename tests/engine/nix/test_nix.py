from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadData, CommandFailed, HiveError, OperationFailed, Unavailable
from hivetui.engine.model.settings import HiveSection, Settings
from hivetui.engine.nix import nix

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress

PLACES = Paths(Path("/"))
COMMIT, HEAD = "1" * 40, "2" * 40
HASH = "sha256-" + "A" * 43 + "="
SAFE = ("--option", "accept-flake-config", "false", "--option", "allow-import-from-derivation", "false")


# What is asked


def test_what_meta_has_locked_is_built_from_its_head_and_no_lock_may_change() -> None:
    assert nix.build_arguments(PLACES, "iris", None, nix.meta_url(PLACES, HEAD)) == (
        *("build", "--print-build-logs", *SAFE, "--no-update-lock-file"),
        f'git+file:///var/lib/hyperhive/meta?rev={HEAD}#nixosConfigurations."iris".config.system.build.toplevel',
    )


def test_a_candidate_is_built_by_taking_its_commit_instead_of_the_locked_one() -> None:
    assert nix.build_arguments(PLACES, "a_b", COMMIT, "path:/copy") == (
        *("build", "--print-build-logs", *SAFE, "--no-write-lock-file"),
        *("--override-input", "agent-a_b", f"git+file:///var/lib/hyperhive/applied/a_b?rev={COMMIT}"),
        'path:/copy#nixosConfigurations."a_b".config.system.build.toplevel',
    )


def test_describing_a_flake_is_as_safe() -> None:
    expected = ("flake", "metadata", "--json", *SAFE, "--no-write-lock-file", "path:/x")
    assert nix.metadata_arguments("path:/x", "--no-write-lock-file") == expected


def test_a_profile_is_set_to_a_path() -> None:
    assert nix.profile_arguments(Path("/p"), Path("/nix/store/x")) == ("-p", "/p", "--set", "/nix/store/x")


def test_a_folder_with_odd_characters_is_escaped_in_a_reference() -> None:
    assert nix.flake_url(Path("/a b/#?")) == "git+file:///a%20b/%23%3F"


@pytest.mark.parametrize("commit", ["main", "1" * 39, "--upload-pack=x", "1" * 40 + "\n", "A" * 40])
def test_only_a_full_hash_names_a_candidate(commit: str) -> None:
    with pytest.raises(BadData):
        nix.candidate_url(PLACES, "iris", commit)


# Lock files


def node(locked: dict[str, Any] | None = None, original: dict[str, Any] | None = None) -> dict[str, Any]:
    place = {"type": "github", "owner": "o", "repo": "r"}
    return {
        "locked": {**place, "rev": COMMIT, "narHash": HASH, "lastModified": 1, **(locked or {})},
        "original": {**place, **(original or {})},
    }


def lock(nodes: dict[str, Any], **more: Any) -> str:
    root = {"inputs": {key: key for key in nodes}}
    return json.dumps({"version": 7, "root": "root", "nodes": {"root": root, **nodes}, **more})


def in_tarball(url: str, original: str | None = None) -> dict[str, Any]:
    place = {"type": "tarball", "url": url}
    return {"locked": {**place, "narHash": HASH}, "original": {**place, "url": original or url}}


def in_git(url: str) -> dict[str, Any]:
    place = {"type": "git", "url": url}
    return {"locked": {**place, "narHash": HASH, "rev": COMMIT}, "original": {**place, "ref": "main"}}


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"a": node()},
        {"a": node(original={"ref": "nixos-unstable"})},
        {"a": node(original={"rev": COMMIT})},
        {"a": {**node(), "flake": False, "inputs": {"b": ["c", "d"]}}},
        {"a": in_tarball("https://example.org/x.tar.gz")},
        {"a": in_git("https://example.org/x"), "b": in_git("ssh://git@example.org/x")},
    ],
)
def test_a_lock_to_fixed_content_of_places_elsewhere_is_accepted(good: dict[str, Any]) -> None:
    nix.check_lock(lock(good))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"type": "path", "path": "/etc", "narHash": HASH}, "of type 'path'"),
        ({"type": "file", "url": "file:///etc/shadow", "narHash": HASH}, "of type 'file'"),
        ({"type": "indirect", "id": "nixpkgs"}, "of type 'indirect'"),
        ({"type": "git", "url": "file:///root/x", "rev": COMMIT, "narHash": HASH}, "https or ssh"),
        ({"type": "git", "url": "../x", "rev": COMMIT, "narHash": HASH}, "https or ssh"),
        ({"type": "tarball", "url": "file:///x.tar", "narHash": HASH}, "https or ssh"),
    ],
)
def test_a_lock_to_a_place_of_this_host_is_refused(bad: dict[str, Any], why: str) -> None:
    with pytest.raises(BadData, match=why):
        nix.check_lock(lock({"a": {"locked": bad, "original": bad}}))


@pytest.mark.parametrize(
    "bad",
    [
        node(locked={"owner": "mallory"}),
        node(locked={"host": "evil.example"}),
        node(locked={"dir": "x"}),
        node(locked={"type": "gitlab"}),
        node(original={"type": "indirect", "id": "nixpkgs"}),
        in_tarball("https://evil.example/x", "https://example.org/x"),
    ],
)
def test_a_lock_that_says_another_place_than_the_flake_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadData, match="another place"):
        nix.check_lock(lock({"a": bad}))


@pytest.mark.parametrize(
    "bad",
    [
        node(locked={"narHash": None}),
        node(locked={"narHash": "sha256-x"}),
        node(locked={"rev": "main"}),
        node(original={"rev": HEAD}),
        {"original": node()["original"]},
        {"locked": node()["locked"]},
        {},
        None,
        [],
    ],
)
def test_a_lock_without_fixed_content_is_refused(bad: Any) -> None:
    with pytest.raises(BadData):
        nix.check_lock(lock({"a": bad}))


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", "/nix/store/x", "{" * 5000, "[" * 100_000),
        lock({}, version=6),
        lock({}, root="other"),
        lock({"a": node()}).replace('"owner": "o"', '"owner": "evil", "owner": "o"', 1),
    ],
)
def test_what_is_no_lock_file_is_refused(text: str) -> None:
    with pytest.raises(BadData):
        nix.check_lock(text)


@given(st.text())
def test_no_text_makes_the_reading_of_a_lock_fail_in_another_way(text: str) -> None:
    with pytest.raises(BadData):
        nix.check_lock(text)


# What nix tells


@pytest.mark.parametrize("output", [b"", b"[]", b"{}", b"[{}]", b'[{"outputs":{"out":"/etc"}}]', b'[{"outputs":[]}]'])
def test_what_is_no_store_path_is_not_taken_for_one(output: bytes) -> None:
    with pytest.raises(OperationFailed):
        nix.built_path(output)


def test_the_report_of_a_wrong_file_is_the_error_and_its_place() -> None:
    # of nix 2.8
    stderr = """\
warning: not writing modified lock file of flake 'git+file:///hive/meta?rev=e0d0':
• Updated input 'agent-9x':
    'git+file:///hive/applied/9x?ref=main&rev=3c58' (2026-11-22)
error: undefined variable 'nope'

       at /nix/store/qa1rb3a94s37y7bqw67n5dj1s5glxg9y-source/agent.nix:1:38:

            1| { ... }: { environment.variables.X = nope; }
             |                                      ^
(use '--show-trace' to show detailed location information)
"""
    assert nix.failure_report(stderr).splitlines() == [
        "error: undefined variable 'nope'",
        "at agent.nix:1:38:",
        "     1| { ... }: { environment.variables.X = nope; }",
        "      |                                      ^",
    ]


def test_the_report_of_a_newer_nix_is_its_last_error_without_the_frames() -> None:
    # the shape of nix 2.20 and later: an empty first line, frames, the error last
    stderr = """\
error:
       … while evaluating the attribute 'config.system.build.toplevel'
         at /nix/store/x/flake.nix:1:1:
       error: undefined variable 'nope'
       at /nix/store/qa1rb3a94s37y7bqw67n5dj1s5glxg9y-source/agent.nix:1:38:
            1| { ... }: { environment.variables.X = nope; }
"""
    assert nix.failure_report(stderr).splitlines()[:2] == ["error: undefined variable 'nope'", "at agent.nix:1:38:"]


def test_the_report_of_a_failed_builder_is_its_derivation_and_the_end_of_its_log() -> None:
    # of nix 2.8, with a second derivation that failed because of the first
    stderr = """\
building '/nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool.drv'...
error: builder for '/nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool.drv' failed with exit code 1;
       last 2 log lines:
       > error: in the log
       > no room
       For full logs, run 'nix log /nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool.drv'.
error: 1 dependencies of derivation '/nix/store/0jvyvv84jmvmlnsd8i0vs1y1hzf0jfmi-system.drv' failed to build
"""
    assert nix.failure_report(stderr).splitlines() == [
        "error: builder for '/nix/store/bgy7xw3gb988xrc0s07vam937ivp89k1-tool.drv' failed with exit code 1;",
        "last 2 log lines:",
        "> error: in the log",
        "> no room",
    ]


def test_the_report_without_an_error_is_the_end_of_what_was_said() -> None:
    assert nix.failure_report("\n".join(map(str, range(100)))).splitlines()[-1] == "99"
    assert nix.failure_report("") == ""


# Asking


async def test_nix_tells_its_version(embedded: Host) -> None:
    assert await nix.version(embedded) >= (2, 4, 0)


async def test_a_nix_that_tells_no_version_is_not_taken_for_one(embedded: Host) -> None:
    with pytest.raises(Unavailable):
        await nix.version(replace(embedded, tools=replace(embedded.tools, nix=("sh", "-c", "echo hello"))))


async def test_a_candidate_is_built_and_kept_and_nothing_else_changes(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    head = await repository.sync(embedded, progress, ["iris"])
    root, main = embedded.paths.roots / "1", iris.main
    commit = iris.commit({"agent.nix": '{ ... }: { environment.variables.X = "two"; }\n'})
    system = await nix.build(embedded, progress, "iris", commit, root)
    assert root.readlink() == system
    assert "X=two" in (system / "env").read_text().splitlines()
    assert (iris.main, await repository.head(embedded), await repository.restore_work_tree(embedded)) == (
        main,
        head,
        False,
    )


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("{ ... }: {\n  environment.variables = {\n", "agent.nix:"),
        ('{ ... }: { lab.fail = "no room"; }\n', "no room"),
        ('{ ... }: { environment.variables.X = throw "not so"; }\n', "not so"),
    ],
)
async def test_a_candidate_that_does_not_build_says_why(
    embedded: Host, progress: RecordingProgress, iris: Repos, module: str, told: str
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    with pytest.raises(CommandFailed, match="could not be built") as failed:
        await nix.build(embedded, progress, "iris", iris.commit({"agent.nix": module}), embedded.paths.roots / "1")
    assert failed.value.why.startswith("error:")
    assert told in failed.value.why


async def test_a_candidate_with_a_lock_to_this_host_is_refused_before_nix_is_asked(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    bad = {"type": "path", "path": "/etc", "narHash": HASH}
    commit = iris.commit({"flake.lock": lock({"a": {"locked": bad, "original": bad}})})
    no_nix = replace(embedded, tools=replace(embedded.tools, nix=("false",)))
    with pytest.raises(BadData, match=r"flake\.lock"):
        await nix.build(no_nix, progress, "iris", commit, embedded.paths.roots / "1")


async def test_a_lock_that_is_a_link_is_refused(embedded: Host, progress: RecordingProgress, iris: Repos) -> None:
    await repository.sync(embedded, progress, ["iris"])
    (embedded.paths.proposed("iris") / "flake.lock").symlink_to("/etc/passwd")
    with pytest.raises(BadData):
        await nix.inspect(embedded, "iris", iris.commit({}))


async def test_inputs_that_are_not_locked_are_refused(embedded: Host, progress: RecordingProgress, iris: Repos) -> None:
    await repository.sync(embedded, progress, ["iris"])
    other = f"git+file://{embedded.paths.proposed('iris')}"
    flake = f'{{ inputs.x.url = "{other}"; outputs = _: {{ nixosModules.default = import ./agent.nix; }}; }}\n'
    with pytest.raises(HiveError):
        await nix.inspect(embedded, "iris", iris.commit({"flake.nix": flake}))


async def test_there_is_nothing_to_build_without_meta(embedded: Host, progress: RecordingProgress) -> None:
    with pytest.raises(HiveError):
        await nix.build(embedded, progress, "iris", None, embedded.paths.roots / "1")


@pytest.mark.root
async def test_the_evaluator_has_a_home_of_its_own_that_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    settings = Settings(hive=HiveSection(flake="git+file:///etc/base?ref=x"))
    host = Host(Paths(tmp_path), settings, ProcessRunner(), environment={"PATH": os.environ["PATH"], "SECRET": "x"})
    (tmp_path / "nix/var/nix/daemon-socket").mkdir(parents=True)
    host.paths.applied_git("iris").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as daemon:
        monkeypatch.chdir(tmp_path)  # the address of a socket is short
        daemon.bind("nix/var/nix/daemon-socket/socket")
        with nix.evaluator(host) as who:
            assert who.environment is not None
            home = Path(who.environment["HOME"])
            assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (65530, 0o700)
            assert "SECRET" not in who.environment
            safe = (home / ".gitconfig").read_text()
    assert f'directory = "{host.paths.applied_of("iris")}"' in safe
    assert 'directory = "/etc/base"' in safe
    assert "*" not in safe
    assert not home.exists()
