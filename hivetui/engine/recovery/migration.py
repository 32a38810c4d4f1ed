"""From the older layout of applied, an ordinary repo with a work tree, to a bare one whose main is `deployed/0`.

It is done in place, so every commit, tag and branch is kept, in steps that can each be done again: a kill at any of
them leaves a repo that still needs migration and can be migrated.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hivetui.engine.git.applied import FIRST, FIRST_MESSAGE, MAIN, AppliedRepo, is_bare
from hivetui.engine.git.commands import NOTHING, Git
from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.warnings import Repair


def needs_migration(host: Host, name: str) -> bool:
    """Whether there is an applied repo that is not of today's layout."""
    applied = AppliedRepo(host, name)
    return applied.exists() and not applied.has_layout()


def refusal(host: Host, name: str, why: str = "") -> BadData:
    """What to tell of a repo that predates the layout: which one, and the two ways out."""
    return AppliedRepo(host, name).predates(why)


async def migrate(host: Host, name: str) -> Repair:
    """Migrate the repo; the caller holds the agent's lock. BadData, and as it was, when it is not understood."""
    applied = AppliedRepo(host, name)
    _check_shape(applied)
    bare = is_bare(applied.git_dir)
    main = await _deployed(applied, bare)
    if not bare:
        await _check_clean(applied, main)
    await _point_main(applied, main)
    await applied.git.run("config", "core.bare", "true")
    await applied.git.run("config", "--unset-all", "core.worktree", check=False)
    _remove_work_tree(applied.folder)
    await applied.create_tag(FIRST, main, FIRST_MESSAGE)
    return Repair(
        agent=name,
        found=f"the applied repo of {name} was of an older layout, with a work tree and without {FIRST}",
        done=f"made it bare and tagged its main {main[:12]} as {FIRST}; every commit and tag was kept",
    )


def _check_shape(applied: AppliedRepo) -> None:
    """A folder `.git` that is a repo, not linked to anything elsewhere."""
    for path in (applied.folder, applied.git_dir, applied.git_dir / "objects", applied.git_dir / "refs"):
        if path.is_symlink() or not path.is_dir():
            raise applied.predates(f"It cannot be migrated: {path} is no folder.")
    for part in ("commondir", "objects/info/alternates", "worktrees", "shallow"):
        if os.path.lexists(applied.git_dir / part):
            raise applied.predates(f"It cannot be migrated: it has {part}.")


async def _deployed(applied: AppliedRepo, bare: bool) -> str:
    """The commit that is deployed: main, or in an older repo without main what HEAD is at."""
    for revision in (MAIN,) if bare else (MAIN, "HEAD"):
        if found := await applied.git.resolve(f"{revision}^{{commit}}"):
            return found
    raise applied.predates("It cannot be migrated: neither main nor HEAD is a commit.")


async def _check_clean(applied: AppliedRepo, main: str) -> None:
    """Refuse to take away files that are in no commit: perhaps they are what is deployed."""
    index = applied.folder / ".git/migration-index"
    tree = Git(applied.host, applied.folder)
    try:
        await tree.run("read-tree", main, env={"GIT_INDEX_FILE": str(index)})
        status = await tree.run("status", "--porcelain", "--untracked-files=normal", env={"GIT_INDEX_FILE": str(index)})
    finally:
        files.remove(index)
    changed = [line[3:] for line in status.text.splitlines() if line[1:2] in "M?TUA"]
    if changed:
        why = f"It cannot be migrated: {changed[0][:60]} in its work tree is in no commit ({len(changed)} such paths)."
        raise applied.predates(why)


async def _point_main(applied: AppliedRepo, main: str) -> None:
    if applied.main() is None:
        await applied.git.compare_and_swap(MAIN, main, NOTHING)
    await applied.git.run("symbolic-ref", "HEAD", MAIN)


def _remove_work_tree(folder: Path) -> None:
    """Everything beside `.git`, and the index; it is all in main."""
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
