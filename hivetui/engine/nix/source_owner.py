"""Whose file an error of nix is about: meta's, the agent's, or one of the base flake and the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.git import objects
from hivetui.engine.git.untrusted import reading
from hivetui.engine.host.host import Host
from hivetui.engine.model.error_place import PROPOSAL
from hivetui.engine.model.errors import HiveError

_MAX_FLAKE = 1 << 20  # bytes
META = "meta, which hivetui writes"
_OTHER = "the base flake or one of its inputs"


@dataclass(frozen=True)
class SourceOwner:
    """Tells the sources in the nix store apart by their flake.nix, since their names are only hashes.

    `labels` has what the owner of each is called, by its text. Only sources in `store` are read, since an agent's own
    error message may name any path.
    """

    store: Path
    labels: Mapping[bytes, str]

    def describe(self, source: str) -> str:
        """The owner of a source by its store path, in words."""
        if Path(source).parent != self.store:
            return _OTHER
        try:
            with reading.open_directory(Path(source)) as directory:
                text = directory.read("flake.nix", most=_MAX_FLAKE)
        except HiveError:  # a source without a flake.nix, or one that is gone
            return _OTHER
        return self.labels.get(text, _OTHER)


def source_owner(host: Host, name: str, commit: str | None, head: str) -> SourceOwner:
    """The owners of the sources of a build: of a proposed commit, or (None) of what the agent has; `head` is meta's."""
    git_dir = host.paths.applied_git(name)
    built = commit or objects.ref(git_dir, "refs/heads/main")
    agent = {objects.file_at(git_dir, built, "flake.nix"): PROPOSAL if commit else label_of(name)} if built else {}
    return owner_among(host, {**agent, objects.file_at(host.paths.meta / ".git", head, "flake.nix"): META})


def owner_among(host: Host, labels: Mapping[bytes, str]) -> SourceOwner:
    """The owners of the sources in the store of this host, by the texts of their flakes."""
    return SourceOwner(host.paths.root / "nix/store", labels)


def label_of(*names: str) -> str:
    """What the deployed flake of an agent is called, or one that several have alike."""
    return f"the configuration of {', '.join(names)}"
