"""Checks the configuration of a proposed repo: what git itself would refuse, and what would borrow from elsewhere.

The repo is never used with it: the text is parsed by git alone, from its standard input, without includes. So keys are
exactly what git takes them for, and `alias.worktree` is not mistaken for `core.worktree`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hivetui.engine.git.commands import git_environment
from hivetui.engine.git.environment import hardened_options
from hivetui.engine.git.untrusted import reading
from hivetui.engine.git.untrusted.inspection import ONE_CONFIGURATION
from hivetui.engine.host import runner
from hivetui.engine.host.host import Command, Host
from hivetui.engine.model.errors import BadData, NotFound, Unavailable
from hivetui.engine.model.names import check as check_agent

MAX_CONFIG = 1 << 18
_MAX_LISTING = 4 << 20
"""Bytes of all settings as git lists them, each with the name of its section."""
_TIMEOUT = 20.0
_GIT_DIED = 128
"""The exit status of git's die(), as for a line of a configuration that it cannot parse."""
_EXTENSIONS = {
    "noop": None,
    "noop-v1": None,
    "preciousobjects": None,
    "relativeworktrees": None,
    "objectformat": "sha1",
    "refstorage": "files",
}
"""The extensions of a repo that change nothing here, with the one value that is understood, None for any.

They are in gitrepository-layout(5) and git-config(1); any other is refused, as git refuses what it does not know.
"""
_ONLY_IN_VERSION_1 = frozenset(
    ("noop-v1", "objectformat", "compatobjectformat", "refstorage", "relativeworktrees", "submodulepathconfig")
)
"""Extensions that git refuses in a repo of version 0, where it ignores those that it does not know."""
_CLONE = "Correct it in the proposed repo, or clone the repo anew with the git of its container."
_NEW_REPO = "GIT_DEFAULT_REF_FORMAT=files git init --object-format=sha1 /tmp/new"
_FIXES = {
    "objectformat": f"Convert it in the container: {_NEW_REPO}; git fast-export --all | git -C /tmp/new fast-import; "
    "replace .git by /tmp/new/.git; git reset.",
    "refstorage": "Convert it in the container: git refs migrate --ref-format=files",
}
_REMOVE = "Remove it from the configuration of the repo."
_FIXES_OF_REFUSED = {
    "extensions.partialclone": "Clone the repo anew without --filter with the git of its container.",
    "extensions.worktreeconfig": ONE_CONFIGURATION,
}
_BOOLEANS = ("core.bare", "extensions.preciousobjects")
_BOOLEAN = re.compile(r"|true|yes|on|false|no|off|[+-]?\d+[kmg]?", re.IGNORECASE)
"""What git takes for a boolean; it ends at anything else in these, whatever it is asked to do in the repo."""


async def check(host: Host, name: str) -> None:
    """Check the configuration of the proposed repo of `name`; BadData, naming the key, or NotFound without a repo."""
    with reading.open_directory(host.paths.agents) as agents, agents.inside(check_agent(name), "config", ".git") as git:
        text, shown = config_text(git), f"{git.shown}/config"
    settings = await _parse(host, text, shown)
    for key, value in settings:
        if why := _why_refused(key, value):
            raise BadData(f"{shown} has {key}", why, _FIXES_OF_REFUSED.get(key, _REMOVE))
        if key in _BOOLEANS and not _BOOLEAN.fullmatch(value):
            raise BadData(f"{shown} has {key} = {value[:40]}", "git accepts only true or false there", _CLONE)
    _check_format(dict(settings), shown)


async def _parse(host: Host, text: str, shown: str) -> list[tuple[str, str]]:
    """The settings in their order, with lower-case section and key; BadData where git reports an error."""
    argv = (*host.tools.git, *hardened_options(), "config", "--file", "-", "--no-includes", "--list", "-z")
    stdin = text.encode("utf-8", "surrogateescape")
    command = Command(argv, Path("/"), git_environment(host), stdin, _TIMEOUT, keep=_MAX_LISTING)
    completed = await host.runner.run(command)
    if completed.status == _GIT_DIED and (await host.runner.run(replace(command, stdin=b""))).status == 0:
        why = runner.command_failed(completed).why
        raise BadData(f"{shown} is not a configuration that git reads", why, "Correct it in the proposed repo.")
    if completed.status or completed.timed_out:
        failure = runner.command_failed(completed)
        raise Unavailable("git could not be run", f"{failure.what}\n{failure.why}", "See: hivetui doctor")
    if len(completed.stdout) >= _MAX_LISTING:
        raise BadData(f"{shown} is too long", f"at most {_MAX_LISTING} bytes of settings are read")
    records = completed.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return [(key, value) for key, _, value in (record.partition("\n") for record in records)]


def _why_refused(key: str, value: str) -> str:
    """Why a setting is not accepted, "" when it is."""
    section, _, rest = key.partition(".")
    name = rest.rpartition(".")[2]
    if section in ("include", "includeif"):
        return "it would read other files of the host"
    if key == "extensions.partialclone" or (section == "remote" and name in ("promisor", "partialclonefilter")):
        return "objects that are missing would be fetched from elsewhere"
    if key in ("core.worktree", "extensions.worktreeconfig"):
        return "its work tree or a part of its configuration would be elsewhere"
    return ""


def _check_format(settings: Mapping[str, str], shown: str) -> None:
    """Refuse a repo in a format that git does not know, or that is not read here."""
    version = settings.get("core.repositoryformatversion", "0")
    if version not in ("0", "1"):
        raise BadData(f"{shown} has the repository format version {version[:40]}", "git knows 0 and 1", _CLONE)
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if section == "extensions" and name in _FIXES and value.lower() != _EXTENSIONS[name]:
            why = f"only repos with {name} = {_EXTENSIONS[name]} are read"
            raise BadData(f"{shown} has {key} = {value[:40]}", why, _FIXES[name])
        if section == "extensions" and name in _ONLY_IN_VERSION_1 and version == "0":
            why = "git refuses that extension in a repo of format version 0"
            raise BadData(f"{shown} has {key}", why, "Remove it, or set core.repositoryformatversion = 1.")
        if section == "extensions" and name not in _EXTENSIONS and version == "1":
            raise BadData(
                f"{shown} has {key[:80]}", "git refuses a repo with an extension that it does not know", _CLONE
            )


def config_text(git: reading.Directory) -> str:
    """The text of the configuration of a proposed repo, "" without one; BadData unless it is a small regular file."""
    try:
        raw = git.read("config", most=MAX_CONFIG + 1)
    except NotFound:
        return ""
    if len(raw) > MAX_CONFIG:
        raise BadData(f"{git.shown}/config is too long", f"at most {MAX_CONFIG} bytes are read")
    return raw.decode("utf-8", "surrogateescape")
