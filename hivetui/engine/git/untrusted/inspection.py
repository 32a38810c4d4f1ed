"""Checks that a proposed repo has only regular files and directories and borrows nothing, before git serves it.

This protects a host without a jail too. It reads names, and runs nothing.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from hivetui.engine.git.untrusted import reading
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, NotFound
from hivetui.engine.model.names import check

MAX_FILES = 50_000
MAX_DEPTH = 16

_BORROWED = {
    "commondir": "the repo would take its objects and refs from another",
    "gitdir": "the repo would be the work tree of another",
    "config.worktree": "the repo would have a second configuration",
    "shallow": "its history would be truncated",
    "objects/info/alternates": "the repo would take objects from another",
    "objects/info/http-alternates": "the repo would take objects from another",
    "info/grafts": "its history would be forged",
}
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
        for path, why in _BORROWED.items():
            _require_absent(git, path, why)
    return inspection


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
        raise BadData(f"{directory.shown}/{name} is of a partial clone", "its objects would be fetched from elsewhere")
    if kind == stat.S_IFDIR:
        inspection.private |= served and mode & _SEARCHABLE != _SEARCHABLE
        with suppress(NotFound), directory.inside(name) as inner:  # a git of the manager may delete it meanwhile
            _check_directory(inner, path, inspection, depth + 1)
    elif kind == stat.S_IFREG:
        inspection.private |= served and mode & _READABLE == 0
    else:
        raise reading.wrong_kind(f"{directory.shown}/{name}", kind, stat.S_IFREG)


def _require_absent(git: reading.Directory, path: str, why: str) -> None:
    *directories, name = path.split("/")
    try:
        with git.inside(*directories) as directory:
            exists = directory.has(name)
    except NotFound:
        return
    if exists:
        raise BadData(f"{git.shown}/{path} exists", why, f"Remove {path} from the proposed repo; clone it completely.")
