"""The environment and the configuration of every git that hivetui starts.

It only needs the standard library, so that the stand-ins of an embedded host, which run without site-packages, use the
same one. See git(1), "Environment Variables", and git-config(1).
"""

from __future__ import annotations

from collections.abc import Mapping

ENGINE_NAME, ENGINE_MAIL = "hive-c0re", "hive-c0re@hyperhive"
"""The author, committer and tagger of whatever the engine writes."""

_KEPT = ("PATH", "TMPDIR")
_HARDENED = {
    "HOME": "/dev/null",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_DEFAULT_HASH": "sha1",  # objects.py reads no other, whatever a later git uses by default
    "GIT_DEFAULT_REF_FORMAT": "files",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
}
_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.fsync=committed,reference",
    "core.filesRefLockTimeout=10000",  # milliseconds, for many processes that contend for the lock of one ref
    "core.packedRefsTimeout=10000",
    "advice.detachedHead=false",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "init.defaultBranch=main",
    "init.templateDir=",
    "gc.auto=0",
    "maintenance.auto=false",
    "receive.autogc=false",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "protocol.version=2",
    "transfer.fsckObjects=true",
    "fetch.unpackLimit=1",
    "submodule.recurse=false",
)


def hardened_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a git: PATH and TMPDIR as inherited, and no configuration but the repository's own."""
    return {key: inherited[key] for key in _KEPT if key in inherited} | _HARDENED


def identity(name: str, mail: str, seconds: int | None = None) -> dict[str, str]:
    """The variables that make `name` <`mail`> the author and the committer.

    The date is `seconds` since the epoch in UTC, or git's own clock without it.
    """
    date = {} if seconds is None else {"DATE": f"{seconds} +0000"}
    values = {"NAME": name, "EMAIL": mail} | date
    return {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in values.items()}


def hardened_options() -> tuple[str, ...]:
    """The options of git, before its verb, that override what the configuration of a repository could make it run."""
    return tuple(option for setting in _CONFIG for option in ("-c", setting))
