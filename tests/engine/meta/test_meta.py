from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.git.commands import Git
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.meta import flake, repository
from hivetui.engine.model.errors import BadConfiguration, BadData, NotFound
from hivetui.engine.model.settings import Settings
from hivetui.engine.nix import build

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress

MakeRepos = Callable[[str], "Repos"]
PATHS = Paths(Path("/hive"))


def files(host: Host) -> dict[str, bytes]:
    return {name: (host.paths.meta / name).read_bytes() for name in ("flake.nix", "flake.lock")}


def test_the_same_agents_in_any_order_give_the_same_flake() -> None:
    once = flake.render("github:o/hyperhive", 7000, ["zoe", "alice", "hm1nd"], PATHS)
    assert once == flake.render("github:o/hyperhive", 7000, ["hm1nd", "zoe", "alice", "zoe"], PATHS)


def test_the_manager_extends_the_manager_and_others_the_agent_base() -> None:
    text = flake.render("github:o/hyperhive", 7000, ["9x", "hm1nd"], PATHS).decode()
    assert '"9x" = agent bases.agent-base inputs."agent-9x" {' in text
    assert '"hm1nd" = agent bases.manager inputs."agent-hm1nd" {' in text
    assert '"agent-9x".url = "git+file:///hive/var/lib/hyperhive/applied/9x?ref=main";' in text


def test_an_agent_gets_its_identity() -> None:
    assert flake.identity("iris", 7001) == {
        "HIVE_PORT": "8178",
        "HIVE_LABEL": "iris",
        "HIVE_DASHBOARD_PORT": "7001",
        "GIT_AUTHOR_NAME": "iris",
        "GIT_AUTHOR_EMAIL": "iris@hyperhive",
        "GIT_COMMITTER_NAME": "iris",
        "GIT_COMMITTER_EMAIL": "iris@hyperhive",
    }


def test_text_is_quoted_so_that_nix_reads_it_as_it_is() -> None:
    assert flake.quote('a"b\\c${d}') == '"a\\"b\\\\c\\${d}"'


@pytest.mark.parametrize("text", ["a\nb", "\x00", "\x7f"])
def test_control_characters_never_reach_a_flake(text: str) -> None:
    with pytest.raises(BadData):
        flake.quote(text)


@pytest.mark.parametrize("base", ["", "a b", "a\nb"])
def test_a_base_flake_that_is_not_a_flake_reference_is_refused(base: str) -> None:
    with pytest.raises(BadConfiguration):
        flake.render(base, 7000, [], PATHS)


async def test_a_host_without_a_base_flake_says_where_to_name_one(embedded: Host, progress: RecordingProgress) -> None:
    with pytest.raises(BadConfiguration, match="hive") as refused:
        await repository.sync(replace(embedded, settings=Settings()), progress, [])
    assert "flake =" in refused.value.fix


async def test_there_is_nothing_in_a_meta_that_does_not_exist(embedded: Host) -> None:
    assert await repository.head(embedded) is None
    assert await repository.pinned_commits(embedded) == {}
    assert await repository.base_revision(embedded) is None
    assert await repository.log(embedded) == ()
    assert await repository.restore_work_tree(embedded) is False


async def test_a_sync_locks_every_agent_at_its_main(
    embedded: Host, progress: RecordingProgress, make_repos: MakeRepos
) -> None:
    repos = {name: make_repos(name) for name in ("9x", "a_b", "hm1nd", "true")}
    await repository.sync(embedded, progress, list(repos))
    assert await repository.pinned_commits(embedded) == {name: agent.main for name, agent in repos.items()}


async def test_a_second_sync_commits_nothing(embedded: Host, progress: RecordingProgress, iris: Repos) -> None:
    first = await repository.sync(embedded, progress, [iris.name])
    before = files(embedded)
    assert await repository.sync(embedded, progress, [iris.name]) == first
    assert files(embedded) == before
    assert len(await repository.log(embedded)) == 1


async def test_an_agent_that_goes_leaves_the_others_as_they_were(
    embedded: Host, progress: RecordingProgress, iris: Repos, make_repos: MakeRepos
) -> None:
    other = make_repos("qa")
    await repository.sync(embedded, progress, ["iris", "qa"])
    base = await repository.base_revision(embedded)
    await repository.sync(embedded, progress, ["qa"])
    assert await repository.pinned_commits(embedded) == {"qa": other.main}
    assert await repository.base_revision(embedded) == base
    assert (await repository.log(embedded))[0].message == f"Remove iris, pinned to {iris.main}"


async def test_a_new_agent_does_not_move_the_lock_of_another(
    embedded: Host, progress: RecordingProgress, iris: Repos, make_repos: MakeRepos
) -> None:
    first = iris.main
    await repository.sync(embedded, progress, ["iris"])
    later = iris.commit({"note": "later"})
    iris.deploy(later)
    new = make_repos("qa")
    await repository.sync(embedded, progress, ["iris", "qa"])
    assert await repository.pinned_commits(embedded) == {"iris": first, "qa": new.main}


async def test_an_agent_without_an_applied_repo_cannot_be_in_meta(embedded: Host, progress: RecordingProgress) -> None:
    with pytest.raises(NotFound):
        await repository.sync(embedded, progress, ["iris"])
    assert await repository.head(embedded) is None


async def test_a_commit_that_only_a_tag_keeps_is_pinned_while_main_is_elsewhere(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    commit = iris.commit({"agent.nix": '{ ... }: { environment.variables.X = "2"; }\n'})
    head = await repository.pin(embedded, progress, "iris", commit, "Deploy 1 of iris\n\nbody")
    assert head == await repository.head(embedded)
    assert await repository.pinned_commits(embedded) == {"iris": commit}
    assert iris.main != commit
    assert (await repository.log(embedded))[0].message == "Deploy 1 of iris\n\nbody"


async def test_nix_takes_a_pinned_lock_as_it_is(embedded: Host, progress: RecordingProgress, iris: Repos) -> None:
    await repository.sync(embedded, progress, ["iris"])
    commit = iris.commit({"agent.nix": '{ ... }: { environment.variables.X = "2"; }\n'})
    candidate = await build.build_system(embedded, progress, "iris", commit, embedded.paths.roots / "candidate")
    await repository.pin(embedded, progress, "iris", commit, "Pin")
    assert await build.build_system(embedded, progress, "iris", None, embedded.paths.roots / "pinned") == candidate
    assert "--no-update-lock-file" in progress.commands[-1]


async def test_pinning_what_is_pinned_commits_nothing(embedded: Host, progress: RecordingProgress, iris: Repos) -> None:
    head = await repository.sync(embedded, progress, ["iris"])
    assert await repository.pin(embedded, progress, "iris", iris.main, "Again") == head


async def test_a_stranger_cannot_be_pinned(embedded: Host, progress: RecordingProgress, iris: Repos) -> None:
    await repository.sync(embedded, progress, [])
    with pytest.raises(NotFound):
        await repository.pin(embedded, progress, "iris", iris.main, "x")


async def test_a_commit_with_a_refused_lock_leaves_meta_as_it_was(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    head = await repository.sync(embedded, progress, ["iris"])
    before = files(embedded)
    commit = iris.commit({"flake.lock": json.dumps({"version": 7, "root": "root", "nodes": {"root": 1}})})
    with pytest.raises(BadData):
        await repository.pin(embedded, progress, "iris", commit, "x")
    assert (await repository.head(embedded), files(embedded)) == (head, before)
    assert await repository.restore_work_tree(embedded) is False
    assert list(embedded.paths.work.iterdir()) == []


async def test_a_work_tree_left_by_a_crash_is_restored(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await repository.sync(embedded, progress, ["iris"])
    before = files(embedded)
    (embedded.paths.meta / "flake.nix").write_text("torn")
    (embedded.paths.meta / ".flake.lock.x.tmp").write_text("torn")
    await Git(embedded, embedded.paths.meta).run("add", "flake.nix")
    assert await repository.restore_work_tree(embedded) is True
    assert files(embedded) == before
    assert not (embedded.paths.meta / ".flake.lock.x.tmp").exists()
    assert await repository.restore_work_tree(embedded) is False


async def test_the_identity_is_in_the_system(embedded: Host, progress: RecordingProgress, iris: Repos) -> None:
    await repository.sync(embedded, progress, ["iris"])
    system = await build.build_system(embedded, progress, "iris", None, embedded.paths.roots / "1")
    environment = dict(line.partition("=")[::2] for line in (system / "env").read_text().splitlines())
    assert environment.items() >= flake.identity("iris", 7000).items()


async def test_a_repo_that_was_half_made_by_a_kill_is_made_whole(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    git_dir = embedded.paths.meta / ".git"
    git_dir.mkdir(parents=True)
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    await repository.sync(embedded, progress, ["iris"])
    assert await repository.pinned_commits(embedded) == {"iris": iris.main}


def in_store(host: Host, folder: Path) -> str:
    """Put a folder into the real nix's store under the name of a source; the hash of its content."""
    nix_command = (*host.tools.nix, "--extra-experimental-features", "nix-command")
    added = subprocess.run((*nix_command, "store", "add-path", "--name", "source", folder), stdout=-1, check=True)
    completed = subprocess.run((*nix_command, "path-info", "--json", added.stdout.strip()), stdout=-1, check=True)
    return str(json.loads(completed.stdout)[0]["narHash"])


def with_input(content: str) -> dict[str, str]:
    """The files of an agent whose flake has an input of its own: a tarball that is in the store already."""
    place = {"type": "tarball", "url": "https://example.invalid/own.tar.gz"}
    own = {"locked": {**place, "narHash": content}, "original": place}
    nodes = {"root": {"inputs": {"own": "own"}}, "own": own}
    modules = "imports = [ ./agent.nix own.module ];"
    outputs = f"{{ own, ... }}: {{ nixosModules.default = {{ ... }}: {{ {modules} }}; }}"
    flake = f'{{ inputs.own.url = "{place["url"]}"; outputs = {outputs}; }}\n'
    return {"flake.nix": flake, "flake.lock": json.dumps({"version": 7, "root": "root", "nodes": nodes})}


@pytest.mark.parametrize("embedded", ["real"], indirect=True)
async def test_the_inputs_of_agents_are_locked_as_each_of_them_says(
    embedded: Host, progress: RecordingProgress, make_repos: MakeRepos, tmp_path: Path
) -> None:
    contents = []
    for value in ("old", "new"):
        own = tmp_path / value
        own.mkdir()
        module = f'{{ ... }}: {{ environment.variables.OWN = "{value}"; }}'
        (own / "flake.nix").write_text(f"{{ outputs = _: {{ module = {module}; }}; }}\n")
        contents.append(in_store(embedded, own))
    agents = [make_repos(name) for name in ("9x", "a-b")]
    for agent in agents:
        agent.deploy(agent.commit(with_input(contents[0])))
    await repository.sync(embedded, progress, ["9x", "a-b"])
    commit = agents[0].commit(with_input(contents[1]))
    candidate = await build.build_system(embedded, progress, "9x", commit, embedded.paths.roots / "candidate")
    assert "OWN=new" in (candidate / "env").read_text().splitlines()
    await repository.pin(embedded, progress, "9x", commit, "Pin")
    for name, value in (("9x", "new"), ("a-b", "old")):
        system = await build.build_system(embedded, progress, name, None, embedded.paths.roots / name)
        assert f"OWN={value}" in (system / "env").read_text().splitlines()
