"""The arguments and flake references that nix is given, as pure functions."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from hivetui.engine.git.commands import is_hash
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.names import check

_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}", re.ASCII)
SAFETY = ("--option", "accept-flake-config", "false", "--option", "allow-import-from-derivation", "false")
"""For every command that evaluates an agent's code: ignore its nixConfig, and run no builder during evaluation."""
EVENTS = ("--log-format", "internal-json")
"""For a command that builds: write the log as events, the output of builders among them; every nix with flakes can."""


def flake_url(folder: Path) -> str:
    """The flake reference of a git repo on this host (Nix manual, `nix flake`, "Flake references")."""
    return "git+file://" + quote(str(folder))


def input_url(paths: Paths, name: str) -> str:
    """The input of an agent in meta's flake.

    With `ref` nix does not look for a work tree, which a bare repo does not have. The URL of the `.git` directory
    would not do: nix fetches only the branches of it, and not the commits that only a tag keeps.
    """
    return flake_url(paths.applied_of(check(name))) + "?ref=main"


def candidate_url(paths: Paths, name: str, commit: str) -> str:
    """One commit of an agent's applied repo; BadData unless it is a full hash."""
    if not is_hash(commit):
        raise BadData(f"{commit[:60]!r} is not a commit", "a full hash has forty hexadecimal digits")
    return f"{flake_url(paths.applied_of(check(name)))}?rev={commit}"


def at_revision(url: str, revision: str) -> str:
    """A flake reference at one revision: a full hash, or a branch. BadData where it cannot have one."""
    if not _REVISION.fullmatch(revision):
        raise BadData(f"{revision[:60]!r} is not a revision", "It is neither a full hash nor a branch.", "Name either.")
    place, _, query = url.partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in ("rev", "ref")]
    if place.startswith("git+"):
        pair = f"rev={revision}" if is_hash(revision) else f"ref={revision}"
        return f"{place}?{'&'.join([*kept, pair])}"
    host, _, path = place.partition(":")
    parts = path.split("/")
    if host not in ("github", "gitlab", "sourcehut") or len(parts) < 2:
        fix = "Leave --to out; or name a git repo in hive.flake: git+file:///…, git+https://…, github:…"
        raise BadData(f"The base flake {url[:100]} has no revisions to choose from", "It is not a git repo.", fix)
    return f"{host}:{'/'.join([*parts[:2], revision])}" + (f"?{'&'.join(kept)}" if kept else "")


def meta_url(paths: Paths, head: str) -> str:
    """Meta at one commit, so that a work tree that is being changed does not matter."""
    return f"{flake_url(paths.meta)}?rev={head}"


def build_arguments(paths: Paths, name: str, commit: str | None, flake: str) -> tuple[str, ...]:
    """The arguments of `nix` that build an agent's system: the commit that `flake` locks, or another one.

    Its log is made of events, so that a build can be watched.
    """
    if commit is None:
        lock: tuple[str, ...] = ("--no-update-lock-file",)
    else:
        lock = ("--no-write-lock-file", "--override-input", f"agent-{name}", candidate_url(paths, name, commit))
    attribute = f'nixosConfigurations."{check(name)}".config.system.build.toplevel'
    return ("build", *EVENTS, *SAFETY, *lock, f"{flake}#{attribute}")


def metadata_arguments(url: str, *options: str) -> tuple[str, ...]:
    """The arguments of `nix` that describe a flake and its lock, without evaluating its outputs."""
    return ("flake", "metadata", "--json", *SAFETY, *options, url)


def profile_arguments(profile: Path, system: Path) -> tuple[str, ...]:
    """The arguments of `nix-env` that make `system` the next generation of a profile."""
    return ("-p", str(profile), "--set", str(system))
