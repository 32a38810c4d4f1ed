"""What a proposed repo must look like on disk before a git serves it: plain files and folders, nothing borrowed.

This holds also where no jail can be made. It reads names and one small file, and runs nothing.
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

MOST_FILES = 50_000
DEEPEST = 16
LARGEST_CONFIG = 1 << 18

_BORROWED = {
    "commondir": "the repo would take its objects and refs from another",
    "gitdir": "the repo would be the work tree of another",
    "config.worktree": "the repo would have a second configuration",
    "shallow": "its history would be cut off",
    "objects/info/alternates": "the repo would take objects from another",
    "objects/info/http-alternates": "the repo would take objects from another",
    "info/grafts": "its history would be made up",
}
_CONFIG = (
    # Of one line each: blanks over many lines would be tried from each of them.
    (re.compile(r"\[[ \t]*include", re.IGNORECASE), "include", "it would read other files of the host"),
    (
        re.compile(r"partialclone|promisor", re.IGNORECASE),
        "a partial clone",
        "objects that are missing would be fetched from elsewhere",
    ),
    (
        re.compile(r"^[ \t]*worktree(config)?[ \t]*=", re.IGNORECASE | re.MULTILINE),
        "worktree",
        "its work tree would be elsewhere",
    ),
)
_READABLE, _SEARCHABLE = stat.S_IROTH, stat.S_IROTH | stat.S_IXOTH


@dataclass
class Inspected:
    """What was found: how many entries, and whether some are not for every user to read."""

    entries: int = 0
    private: bool = False


def inspect(host: Host, name: str) -> Inspected:
    """Look at the proposed repo of `name`; BadData that says which path is not as it must be, NotFound without it."""
    found = Inspected()
    with reading.opened(host.paths.agents) as agents, agents.inside(check(name), "config", ".git") as git:
        _plain(git, "", found, 0)
        for path, why in _BORROWED.items():
            _not_there(git, path, why)
        _check_config(git)
    return found


def _plain(folder: reading.Folder, path: str, found: Inspected, depth: int) -> None:
    if depth > DEEPEST:
        raise BadData(f"{folder.shown} is too deep", f"a repo has at most {DEEPEST} levels of folders")
    for name, status in folder.entries():
        found.entries += 1
        if found.entries > MOST_FILES:
            raise BadData(
                f"{folder.shown} makes too many files", f"at most {MOST_FILES} are looked at", "Run git gc in proposed."
            )
        _plain_entry(folder, f"{path}/{name}", name, status, found, depth)


def _plain_entry(
    folder: reading.Folder, path: str, name: str, status: os.stat_result, found: Inspected, depth: int
) -> None:
    mode = status.st_mode
    kind, served = stat.S_IFMT(mode), path.startswith("/objects")
    if name.endswith(".promisor"):
        raise BadData(f"{folder.shown}/{name} is of a partial clone", "its objects would be fetched from elsewhere")
    if kind == stat.S_IFDIR:
        found.private |= served and mode & _SEARCHABLE != _SEARCHABLE
        with suppress(NotFound), folder.inside(name) as inner:  # the manager's git may tidy up meanwhile
            _plain(inner, path, found, depth + 1)
    elif kind == stat.S_IFREG:
        found.private |= served and mode & _READABLE == 0
    else:
        raise reading.not_plain(f"{folder.shown}/{name}", kind, stat.S_IFREG)


def _not_there(git: reading.Folder, path: str, why: str) -> None:
    *folders, name = path.split("/")
    try:
        with git.inside(*folders) as folder:
            there = folder.has(name)
    except NotFound:
        return
    if there:
        raise BadData(f"{git.shown}/{path} exists", why, f"Remove {path} from the proposed repo; clone it whole.")


def _check_config(git: reading.Folder) -> None:
    text = config_text(git)
    for pattern, what, why in _CONFIG:
        if pattern.search(text):
            raise BadData(f"{git.shown}/config has {what}", why, "Remove it from the configuration of the repo.")


def config_text(git: reading.Folder) -> str:
    """The text of the configuration of a proposed repo, "" without one; BadData when it is no plain small file."""
    try:
        raw = git.read("config", most=LARGEST_CONFIG + 1)
    except NotFound:
        return ""
    if len(raw) > LARGEST_CONFIG:
        raise BadData(f"{git.shown}/config is too long", f"at most {LARGEST_CONFIG} bytes are read")
    return raw.decode("utf-8", "surrogateescape")
