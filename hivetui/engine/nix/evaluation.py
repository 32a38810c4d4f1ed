"""Evaluation by nix of what agents proposed, which runs their code.

So a lock file is checked before nix sees it; and as root on a host with a nix daemon, nix runs as a user that can read
applied and meta and nothing else of the hive."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hivetui.engine.git import objects
from hivetui.engine.git.applied import applied_names
from hivetui.engine.git.commands import Git
from hivetui.engine.host import files, runner, scratch
from hivetui.engine.host.host import Command, Host
from hivetui.engine.model.error_place import PROPOSAL
from hivetui.engine.model.errors import BadData, CommandFailed, HiveError
from hivetui.engine.nix import argv, lock_file
from hivetui.engine.nix.source_owner import label_of, owner_among

QUERY_TIMEOUT = 600.0  # seconds, for commands that build nothing; they may have to fetch inputs
_UID = 65530  # a uid and gid outside the ranges of people, systemd (61184 to 65519) and nobody
_DAEMON = "nix/var/nix/daemon-socket/socket"
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LOCALE_ARCHIVE", "NIX_CONFIG", "NIX_SSL_CERT_FILE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Evaluator:
    """The user that evaluates: what precedes the argv, and the whole environment (None for the host's)."""

    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None

    @property
    def is_separate(self) -> bool:
        """Whether it is another user than the engine's."""
        return bool(self.prefix)


@contextmanager
def evaluator(host: Host) -> Iterator[Evaluator]:
    """The evaluator of this host: a user of its own with an empty home where root has a nix daemon, else the engine."""
    if host.embedded or os.geteuid() != 0 or not (host.paths.root / _DAEMON).is_socket():
        yield Evaluator()
        return
    with scratch.scratch_directory(host.paths) as home:
        _write_git_config(host, home)
        os.chown(home, _UID, _UID)
        yield Evaluator(drop_rights(), _environment(host, home))


def drop_rights() -> tuple[str, ...]:
    """The start of an argv that runs the rest as the evaluator, without any right of root (setpriv(1))."""
    ids = (f"--reuid={_UID}", f"--regid={_UID}", "--clear-groups")
    return ("setpriv", *ids, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--")


def _environment(host: Host, home: Path) -> dict[str, str]:
    kept = {key: host.environment[key] for key in _KEPT_ENVIRONMENT if key in host.environment}
    own = {"HOME": str(home), "TMPDIR": str(home), "NIX_REMOTE": "daemon", "GIT_TERMINAL_PROMPT": "0"}
    return kept | own


def _write_git_config(host: Host, home: Path) -> None:
    """Let git read these repos of root (safe.directory), and no other that a proposal may name, as `*` would."""
    repos = [host.paths.meta, *_local_base(host.settings.hive.flake)]
    repos += [host.paths.applied_of(name) for name in applied_names(host)]
    lines = [f'\tdirectory = "{path}"\n' for repo in repos for path in (repo, repo / ".git")]
    files.replace(home / ".gitconfig", ("[safe]\n" + "".join(lines)).encode())


def _local_base(flake: str | None) -> tuple[Path, ...]:
    """The directory of a base flake that is a git repo of this host; empty for another flake."""
    local = re.match(r"(?:git\+file://)?(/[^?#]*)", flake or "")
    return (Path(unquote(local[1])),) if local else ()


async def metadata(host: Host, url: str, *options: str, labels: Callable[[], Mapping[bytes, str]]) -> dict[str, Any]:
    """The JSON of `nix flake metadata`: among others `locked`, the reference, and `locks`, the content of a lock file.

    `labels` gives what an error calls the owners of flakes, by their texts. CommandFailed when the flake cannot be
    read, OperationFailed when the output is not JSON.
    """
    with evaluator(host) as who:
        command = (*who.prefix, *host.tools.nix, *argv.metadata_arguments(url, *options))
        try:
            completed = await runner.run_checked(host, Command(command, env=who.environment, timeout=QUERY_TIMEOUT))
        except CommandFailed as error:
            owner = owner_among(host, labels())
            raise owner.explain(error, f"The flake {url} cannot be read") from error
    return lock_file.parse_json_object(completed.stdout, "nix flake metadata")


async def inspect(host: Host, name: str, commit: str) -> None:
    """Refuse a commit of an agent's applied repo unless all its inputs are locked, to places that can be trusted.

    Its lock file is checked here first; nix then says whether it is complete. BadData or CommandFailed.
    """
    text = await _lock_of(host, name, commit)
    if text is not None:
        lock_file.check(text)
    git_dir = host.paths.applied_git(name)
    if objects.blob_at(git_dir, commit, "flake.nix") is None:
        why = "The agent's module is the nixosModules.default of that file."
        raise BadData("The commit has no flake.nix", why, "Commit one to the proposed repo, and submit that.")

    def labels() -> dict[bytes, str]:
        is_deployed = commit == objects.ref(git_dir, "refs/heads/main")
        return dict.fromkeys(flakes_at(git_dir, commit), label_of(name) if is_deployed else PROPOSAL)

    await metadata(host, argv.candidate_url(host.paths, name, commit), "--no-update-lock-file", labels=labels)


def flakes_at(git_dir: Path, commit: str) -> Iterator[bytes]:
    """The flake.nix of a commit, nothing if it has none."""
    with suppress(HiveError):
        yield objects.file_at(git_dir, commit, "flake.nix")


async def _lock_of(host: Host, name: str, commit: str) -> str | None:
    """The text of the lock file of a commit, None without one."""
    argv.candidate_url(host.paths, name, commit)  # refuses what is not a full hash
    git = Git(host, host.paths.applied_git(name))
    listed = await git.run("ls-tree", "-z", commit, "--", "flake.lock")
    if not listed.stdout:
        return None
    return (await git.run("cat-file", "blob", f"{commit}:flake.lock")).text
