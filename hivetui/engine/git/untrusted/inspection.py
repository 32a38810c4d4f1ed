"""Checks that a proposed repo has only regular files and directories and borrows nothing, before git serves it.

This protects a host without a jail too. It reads names and one small file, and runs nothing.
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
MAX_CONFIG = 1 << 18

_BORROWED = {
    "commondir": "the repo would take its objects and refs from another",
    "gitdir": "the repo would be the work tree of another",
    "config.worktree": "the repo would have a second configuration",
    "shallow": "its history would be truncated",
    "objects/info/alternates": "the repo would take objects from another",
    "objects/info/http-alternates": "the repo would take objects from another",
    "info/grafts": "its history would be forged",
}
_CONFIG = (
    # Each matches within one line: whitespace over many lines would be retried from every line, in quadratic time.
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
        _check_config(git)
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


def _check_config(git: reading.Directory) -> None:
    text = config_text(git)
    for pattern, what, why in _CONFIG:
        if pattern.search(text):
            raise BadData(f"{git.shown}/config has {what}", why, "Remove it from the configuration of the repo.")


def config_text(git: reading.Directory) -> str:
    """The text of the configuration of a proposed repo, "" without one; BadData unless it is a small regular file."""
    try:
        raw = git.read("config", most=MAX_CONFIG + 1)
    except NotFound:
        return ""
    if len(raw) > MAX_CONFIG:
        raise BadData(f"{git.shown}/config is too long", f"at most {MAX_CONFIG} bytes are read")
    return raw.decode("utf-8", "surrogateescape")
