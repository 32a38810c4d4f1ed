"""Building systems with the nix of an embedded host."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadData, CommandFailed, HiveError, OperationFailed
from hivetui.engine.nix import build

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress

HASH = "sha256-" + "A" * 43 + "="


@pytest.mark.parametrize("output", [b"", b"[]", b"{}", b"[{}]", b'[{"outputs":{"out":"/etc"}}]', b'[{"outputs":[]}]'])
def test_output_without_a_store_path_is_an_error(output: bytes) -> None:
    with pytest.raises(OperationFailed):
        build.built_path(output)


async def test_a_candidate_is_built_and_kept_and_nothing_else_changes(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    head = await repository.sync(embedded, progress, ["iris"])
    root, main = embedded.paths.roots / "1", iris.main
    commit = iris.commit({"agent.nix": '{ ... }: { environment.variables.X = "two"; }\n'})
    system = await build.build_system(embedded, progress, "iris", commit, root)
    assert root.readlink() == system
    assert "X=two" in (system / "env").read_text().splitlines()
    assert (iris.main, await repository.head(embedded), await repository.restore_work_tree(embedded)) == (
        main,
        head,
        False,
    )


async def test_the_log_of_a_build_is_plain_text_and_its_progress_is_counted(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    progress.lines.clear()
    commit = iris.commit({"agent.nix": '{ ... }: { environment.variables.X = "two"; }\n'})
    await build.build_system(embedded, progress, "iris", commit, embedded.paths.roots / "1")
    name = "nixos-system-agent-embedded"
    shown = [text for stream, text in progress.lines if stream == "stderr"]
    assert f"{name}> making units" in shown
    assert not [text for text in shown if "@nix" in text or "{" in text]
    assert [build.name for build in next(one.builds for one in progress.builds if one.builds)] == [name]
    assert [one.phase for build in progress.builds for one in build.builds if one.phase][-1] == "init"
    assert any(one.building == 1 and one.ended_at is None for one in progress.builds)
    last = progress.builds[-1]
    assert (last.built, last.failed, last.building, last.waiting, last.errors) == (1, 0, 0, 0, ())
    assert last.ended_at is not None


async def test_the_errors_of_a_build_are_counted_and_kept(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    commit = iris.commit({"agent.nix": '{ ... }: { lab.fail = "no room"; }\n'})
    with pytest.raises(CommandFailed):
        await build.build_system(embedded, progress, "iris", commit, embedded.paths.roots / "1")
    last = progress.builds[-1]
    assert (last.built, last.failed, last.builds) == (0, 1, ())
    assert "nixos-system-agent-embedded.drv" in last.errors[0]
    assert "no room" in "\n".join(text for _, text in progress.lines)


async def test_a_builder_that_pretends_to_be_nix_changes_its_phase_and_nothing_else(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    pretended = [
        {"action": "setPhase", "phase": "\x1b[2J" + "phase" * 100},
        {"action": "msg", "level": 0, "msg": "error: all is well", "raw_msg": "all is well"},
        {"action": "start", "id": 1, "level": 0, "type": 105, "text": "", "fields": ["/x-forged.drv", "", 1, 1]},
        {"action": "start", "id": 2, "level": 0, "type": 104, "text": ""},
        {"action": "result", "id": 2, "type": 105, "fields": [7, 7, 7, 7]},
    ]
    lines = "\n".join(f"@nix {json.dumps(one)}" for one in pretended)
    await repository.sync(embedded, progress, ["iris"])
    commit = iris.commit({"agent.nix": f"{{ ... }}: {{ lab.fail = ''{lines}\n@nix {{\nend''; }}\n"})
    with pytest.raises(CommandFailed):
        await build.build_system(embedded, progress, "iris", commit, embedded.paths.roots / "1")
    assert {build.name for one in progress.builds for build in one.builds} == {"nixos-system-agent-embedded"}
    assert ("phase" * 8)[:40] in {build.phase for one in progress.builds for build in one.builds}
    last = progress.builds[-1]
    assert (last.built, last.failed, last.building) == (0, 1, 0)
    assert not [error for error in last.errors if "all is well" in error]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("{ ... }: {\n  environment.variables = {\n", "agent.nix:"),
        ('{ ... }: { lab.fail = "no room"; }\n', "no room"),
        ('{ ... }: { environment.variables.X = throw "not so"; }\n', "not so"),
    ],
)
async def test_a_candidate_that_does_not_build_says_why(
    embedded: Host, progress: RecordingProgress, iris: Repos, module: str, reason: str
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    with pytest.raises(CommandFailed, match="could not be built") as failed:
        await build.build_system(
            embedded, progress, "iris", iris.commit({"agent.nix": module}), embedded.paths.roots / "1"
        )
    assert failed.value.why.startswith("error:")
    assert reason in failed.value.why


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"agent.nix": "{ ... }: {\n  environment.variables.X = nope;\n}\n"}, r"agent\.nix:2:\d+ of the proposal"),
        ({"flake.nix": "{ outputs = { self }: { nixosModule = { }; }; }\n"}, r"flake\.nix:\d+:\d+ of meta"),
    ],
)
async def test_an_error_says_whose_file_it_is_about(
    embedded: Host, progress: RecordingProgress, iris: Repos, files: dict[str, str], place: str
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    with pytest.raises(CommandFailed) as failed:
        await build.build_system(embedded, progress, "iris", iris.commit(files), embedded.paths.roots / "1")
    assert re.search(place, failed.value.why)


async def test_a_candidate_with_a_lock_to_this_host_is_refused_before_nix_runs(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    bad = {"type": "path", "path": "/etc", "narHash": HASH}
    nodes = {"root": {"inputs": {"a": "a"}}, "a": {"locked": bad, "original": bad}}
    lock = {"version": 7, "root": "root", "nodes": nodes}
    commit = iris.commit({"flake.lock": json.dumps(lock)})
    no_nix = replace(embedded, tools=replace(embedded.tools, nix=("false",)))
    with pytest.raises(BadData, match=r"flake\.lock"):
        await build.build_system(no_nix, progress, "iris", commit, embedded.paths.roots / "1")


async def test_nothing_can_be_built_without_meta(embedded: Host, progress: RecordingProgress) -> None:
    with pytest.raises(HiveError):
        await build.build_system(embedded, progress, "iris", None, embedded.paths.roots / "1")
