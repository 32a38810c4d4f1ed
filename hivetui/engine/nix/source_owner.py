"""Whose file an error of nix is about: meta's, the agent's, or one of the base flake and the inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.git import objects
from hivetui.engine.git.untrusted import reading
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError

_MAX_FLAKE = 1 << 20  # bytes
_OTHER = "the base flake or one of its inputs"


@dataclass(frozen=True)
class SourceOwner:
    """Tells the sources in the nix store apart by their flake.nix, since their names are only hashes.

    `meta` and `agent` are the texts of the two flakes, `agent_label` what the agent's is called. Only sources in
    `store` are read, since an agent's own error message may name any path.
    """

    store: Path
    meta: bytes
    agent: bytes
    agent_label: str

    def describe(self, source: str) -> str:
        """The owner of a source by its store path, in words."""
        if Path(source).parent != self.store:
            return _OTHER
        try:
            with reading.open_directory(Path(source)) as directory:
                text = directory.read("flake.nix", most=_MAX_FLAKE)
        except HiveError:  # a source without a flake.nix, or one that is gone
            return _OTHER
        if text == self.meta:
            return "meta, which hivetui writes"
        return self.agent_label if text == self.agent else _OTHER


def source_owner(host: Host, name: str, commit: str | None, head: str) -> SourceOwner:
    """The owners of the sources of a build: of a proposed commit, or (None) of what the agent has; `head` is meta's."""
    git_dir = host.paths.applied_git(name)
    built = commit or objects.ref(git_dir, "refs/heads/main")
    return SourceOwner(
        store=host.paths.root / "nix/store",
        meta=objects.file_at(host.paths.meta / ".git", head, "flake.nix"),
        agent=objects.file_at(git_dir, built, "flake.nix") if built else b"",
        agent_label="the proposal" if commit else f"the configuration of {name}",
    )
