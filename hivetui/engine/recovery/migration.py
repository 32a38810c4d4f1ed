"""Migrates an applied repo of the older layout, with a work tree, to a bare one whose main is tagged `deployed/0`.

The migration is done in place, so that every commit, tag and branch is kept, in steps that can be repeated: a kill at
any of them leaves a repo that still needs the migration and can be migrated.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hivetui.engine.git.applied import FIRST_MESSAGE, FIRST_TAG, MAIN, AppliedRepo, is_bare
from hivetui.engine.git.commands import NULL_ID, Git
from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.model.warnings import Repair


def needs_migration(host: Host, name: str) -> bool:
    """Whether the agent has an applied repo, and that does not have the current layout."""
    applied = AppliedRepo(host, name)
    return applied.exists() and not applied.has_layout()


async def migrate(host: Host, name: str) -> Repair:
    """Migrate the repo; the caller holds the agent's lock. BadData, with nothing changed, when it has another shape."""
    applied = AppliedRepo(host, name)
    _check_shape(applied)
    bare = is_bare(applied.git_dir)
    main = await _deployed_commit(applied, bare)
    if not bare:
        await _check_clean(applied, main)
    await _point_main(applied, main)
    await applied.git.run("config", "core.bare", "true")
    await applied.git.run("config", "--unset-all", "core.worktree", check=False)
    _remove_work_tree(applied.folder)
    await applied.create_tag(FIRST_TAG, main, FIRST_MESSAGE)
    return Repair(
        agent=name,
        found=f"the applied repo of {name} had the older layout, with a work tree and without {FIRST_TAG}",
        done=f"made it bare and tagged its main {main[:12]} as {FIRST_TAG}; every commit and tag is kept",
    )


def _check_shape(applied: AppliedRepo) -> None:
    """Refuse a repo that is linked to files elsewhere: symbolic links, alternates, linked work trees."""
    for path in (applied.folder, applied.git_dir, applied.git_dir / "objects", applied.git_dir / "refs"):
        if path.is_symlink() or not path.is_dir():
            raise applied.layout_refusal(f"It cannot be migrated: {path} is not a directory.")
    for part in ("commondir", "objects/info/alternates", "worktrees", "shallow"):
        if os.path.lexists(applied.git_dir / part):
            raise applied.layout_refusal(f"It cannot be migrated: it has {part}.")


async def _deployed_commit(applied: AppliedRepo, bare: bool) -> str:
    """The deployed commit: main, or in a repo with a work tree and without main the commit of HEAD."""
    for revision in (MAIN,) if bare else (MAIN, "HEAD"):
        if commit := await applied.git.resolve(f"{revision}^{{commit}}"):
            return commit
    raise applied.layout_refusal("It cannot be migrated: neither main nor HEAD names a commit.")


async def _check_clean(applied: AppliedRepo, main: str) -> None:
    """Refuse to remove files that are in no commit: they may be what is deployed."""
    index = applied.folder / ".git/migration-index"
    tree = Git(applied.host, applied.folder)
    try:
        await tree.run("read-tree", main, env={"GIT_INDEX_FILE": str(index)})
        status = await tree.run("status", "--porcelain", "--untracked-files=normal", env={"GIT_INDEX_FILE": str(index)})
    finally:
        files.remove(index)
    changed = [line[3:] for line in status.text.splitlines() if line[1:2] in "M?TUA"]
    if changed:
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        why = f"It cannot be migrated: its work tree has changes that are in no commit ({changed[0][:60]}{more})."
        raise applied.layout_refusal(why)


async def _point_main(applied: AppliedRepo, main: str) -> None:
    if applied.main() is None:
        await applied.git.compare_and_swap(MAIN, main, NULL_ID)
    await applied.git.run("symbolic-ref", "HEAD", MAIN)


def _remove_work_tree(folder: Path) -> None:
    """Remove the index and everything beside `.git`; all of it is in main."""
    with files.translate_os_errors(f"The work tree of {folder} could not be removed"):
        (folder / ".git/index").unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.name == ".git":
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        files.sync(folder)
