"""The older layout of applied is migrated with every commit and tag, or left as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData
from hivetui.engine.recovery import migration
from tests.engine.git.conftest import Manager


@pytest.fixture
def old(host: Host, manager: Manager) -> Path:
    """An applied repo of the older layout: two commits, a tag, a branch, a work tree with a folder."""
    folder = host.paths.applied_of("iris")
    folder.mkdir(parents=True)
    manager("init", "-q", folder=folder)
    for text in ("one", "two"):
        (folder / "agent.nix").write_text(text)
        (folder / "modules").mkdir(exist_ok=True)
        (folder / "modules/x.nix").write_text(text)
        manager("add", "-A", folder=folder)
        manager("commit", "-q", "-m", text, folder=folder)
    manager("tag", "v1", "HEAD~1", folder=folder)
    manager("branch", "kept", "HEAD~1", folder=folder)
    return folder


async def test_it_becomes_bare_and_keeps_everything(host: Host, old: Path, manager: Manager) -> None:
    main, before = manager("rev-parse", "main", folder=old), manager("rev-parse", "v1", "kept", folder=old)
    assert migration.needs_migration(host, "iris")
    repair = await migration.migrate(host, "iris")
    applied = AppliedRepo(host, "iris")
    assert not migration.needs_migration(host, "iris")
    assert (applied.main(), applied.tags()["deployed/0"].commit) == (main, main)
    assert manager("--git-dir=.git", "rev-parse", "v1", "kept", folder=old) == before
    assert [path.name for path in old.iterdir()] == [".git"]
    assert (repair.agent, main[:12] in repair.done) == ("iris", True)


async def test_without_main_the_commit_of_head_is_deployed(host: Host, old: Path, manager: Manager) -> None:
    commit = manager("rev-parse", "HEAD", folder=old)
    manager("branch", "-m", "main", "master", folder=old)
    await migration.migrate(host, "iris")
    assert AppliedRepo(host, "iris").main() == commit


@pytest.mark.parametrize("steps", [1, 2, 3])
async def test_it_can_be_repeated_after_a_kill(host: Host, old: Path, manager: Manager, steps: int) -> None:
    """The states that a kill can leave: bare already; work tree partly gone; all but the tag."""
    manager("config", "core.bare", "true", folder=old)
    if steps > 1:
        (old / "agent.nix").unlink()
    if steps > 2:
        (old / "modules/x.nix").unlink()
    assert migration.needs_migration(host, "iris")
    await migration.migrate(host, "iris")
    assert AppliedRepo(host, "iris").has_layout()
    assert [path.name for path in old.iterdir()] == [".git"]


@pytest.mark.parametrize("change", ["agent.nix", "new.nix"])
async def test_uncommitted_work_is_never_removed(host: Host, old: Path, change: str) -> None:
    (old / change).write_text("by hand")
    with pytest.raises(BadData) as caught:
        await migration.migrate(host, "iris")
    assert change in caught.value.why
    assert (old / change).read_text() == "by hand"
    assert migration.needs_migration(host, "iris")


async def test_a_repo_without_a_commit_is_refused_with_both_fixes(host: Host, manager: Manager) -> None:
    folder = host.paths.applied_of("iris")
    folder.mkdir(parents=True)
    manager("init", "-q", folder=folder)
    with pytest.raises(BadData) as caught:
        await migration.migrate(host, "iris")
    assert str(folder) in caught.value.what
    assert "repair iris" in caught.value.fix
    assert "--purge" in caught.value.fix


async def test_before_the_migration_no_repo_is_created_in_its_place(host: Host, old: Path) -> None:
    before = set(old.rglob("*"))
    with pytest.raises(BadData, match="older layout"):
        await AppliedRepo(host, "iris").create_from_proposed()
    assert set(old.rglob("*")) == before


async def test_a_directory_that_is_not_a_repo_is_refused(host: Host) -> None:
    folder = host.paths.applied_of("iris")
    folder.mkdir(parents=True)
    (folder / ".git").write_text("gitdir: /elsewhere\n")
    with pytest.raises(BadData, match="older layout"):
        await migration.migrate(host, "iris")
    assert (folder / ".git").read_text() == "gitdir: /elsewhere\n"


def test_a_missing_repo_needs_no_migration(host: Host) -> None:
    assert not migration.needs_migration(host, "iris")
