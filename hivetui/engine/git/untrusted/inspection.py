"""Checks that a proposed repo has only regular files and directories and borrows nothing, before git serves it.

This protects a host without a jail too. It reads names, and runs nothing.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass

from hivetui.engine.git.untrusted import reading
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, NotFound
from hivetui.engine.model.names import check

MAX_FILES = 50_000
MAX_DEPTH = 16

CLONE = "Clone the repo anew into that place with the git of its container."
ONE_CONFIGURATION = (
    "Undo it in the container: git sparse-checkout disable; git config --unset extensions.worktreeConfig; "
    "then remove .git/config.worktree."
)
_COPY_OBJECTS = "Copy them in the container: git repack -a -d; then remove that file."
_BORROWED = {
    "commondir": ("the repo would take its objects and refs from another", CLONE),
    "gitdir": ("the repo would be the work tree of another", CLONE),
    "config.worktree": ("the repo would have a second configuration", ONE_CONFIGURATION),
    "shallow": ("its history would be truncated", "Complete it in the container: git fetch --unshallow."),
    "objects/info/alternates": ("the repo would take objects from another", _COPY_OBJECTS),
    "objects/info/http-alternates": ("the repo would take objects from another", _COPY_OBJECTS),
    "info/grafts": ("its history would be forged", "Remove it, or in the container: git replace --convert-graft-file."),
}
"""Files that a repo may not have, each with why not, and what to do."""
_HEAD = re.compile(rb"ref:\s*refs/|[0-9a-fA-F]{40}")
_NOT_SERVED = ("/hooks", "/info/exclude", "/info/attributes", "/lfs", "/fsmonitor--daemon", "/fsmonitor--daemon.ipc")
"""Paths that may be links or sockets, as people and git make them: neither way of serving a repo reads them."""
_READABLE, _SEARCHABLE = stat.S_IROTH, stat.S_IROTH | stat.S_IXOTH


@dataclass
class Inspection:
    """The number of entries, and whether some objects are not readable by every user."""

    entries: int = 0
    private: bool = False


def inspect(host: Host, name: str) -> Inspection:
    """Check the proposed repo of `name`; BadData, naming the path that is not allowed, or NotFound without a repo."""
    inspection = Inspection()
    with reading.open_directory(host.paths.agents) as agents, agents.inside(check(name), "config", ".git") as git:
        _check_directory(git, "", inspection, 0)
        for path, (why, fix) in _BORROWED.items():
            _require_absent(git, path, why, fix)
        _require_repo(git)
    return inspection


def _require_repo(git: reading.Directory) -> None:
    """Refuse what git takes for no repository (is_git_directory() in its setup.c)."""
    head = git.read("HEAD", most=4096) if git.has("HEAD") else b""
    missing = [part for part in ("objects", "refs") if not git.has(part)]
    if missing or not _HEAD.match(head):
        why = f"it has no {' and no '.join(missing)}" if missing else "its HEAD does not name a branch or a commit"
        raise BadData(f"{git.shown} is not a repo that git accepts", why, f"Correct it there. Or: {CLONE}")


def _check_directory(directory: reading.Directory, path: str, inspection: Inspection, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadData(f"{directory.shown} is too deep", f"a repo may have at most {MAX_DEPTH} levels of directories")
    for name, status in directory.entries():
        inspection.entries += 1
        if inspection.entries > MAX_FILES:
            raise BadData(
                f"{directory.shown} has too many files", f"at most {MAX_FILES} are accepted", "Run git gc in proposed."
            )
        _check_entry(directory, f"{path}/{name}", name, status, inspection, depth)


def _check_entry(
    directory: reading.Directory, path: str, name: str, status: os.stat_result, inspection: Inspection, depth: int
) -> None:
    if path in _NOT_SERVED:
        return
    mode = status.st_mode
    kind, served = stat.S_IFMT(mode), path.startswith("/objects")
    if name.endswith(".promisor"):
        raise BadData(
            f"{directory.shown}/{name} is of a partial clone", "its objects would be fetched from elsewhere", CLONE
        )
    if kind == stat.S_IFDIR:
        inspection.private |= served and mode & _SEARCHABLE != _SEARCHABLE
        with suppress(NotFound), directory.inside(name) as inner:  # a git of the manager may delete it meanwhile
            _check_directory(inner, path, inspection, depth + 1)
    elif kind == stat.S_IFREG:
        inspection.private |= served and mode & _READABLE == 0
    else:
        raise reading.wrong_kind(f"{directory.shown}/{name}", kind, stat.S_IFREG)


def _require_absent(git: reading.Directory, path: str, why: str, fix: str) -> None:
    *directories, name = path.split("/")
    try:
        with git.inside(*directories) as directory:
            exists = directory.has(name)
    except NotFound:
        return
    if exists:
        raise BadData(f"{git.shown}/{path} exists", why, fix)
