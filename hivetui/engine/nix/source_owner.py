"""Whose file an error of nix is about: meta's, the agent's, or one of the base flake and the inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.git import objects
from hivetui.engine.git.untrusted import reading
from hivetui.engine.host.host import Host
from hivetui.engine.model.error_place import PROPOSAL
from hivetui.engine.model.errors import CommandFailed, HiveError
from hivetui.engine.nix import failures

_MAX_FLAKE = 1 << 20  # bytes
META = "meta, which hivetui writes"
_OTHER = "the base flake or one of its inputs"
_MODULE = "nixosModules.default"
"""What meta takes from an agent's flake. An error at that line of meta is about what the agent's flake has for it."""
_OUTPUTS = tuple(re.compile(rb"^[^#\n]*\b" + word + rb"\b", re.MULTILINE) for word in (b"nixosModules", b"outputs"))


@dataclass(frozen=True)
class SourceOwner:
    """Tells the sources in the nix store apart by their flake.nix, since their names are only hashes.

    `labels` has what the owner of each is called, by its text; `module`, where the agent's flake has its module. Only
    sources in `store` are read, since an agent's own error message may name any path.
    """

    store: Path
    labels: Mapping[bytes, str]
    module: str = ""

    def describe(self, source: str) -> str:
        """The owner of a source by its store path, in words."""
        if Path(source).parent not in (self.store, self.store.resolve()):  # nix may name it without symbolic links
            return _OTHER
        try:
            with reading.open_directory(Path(source)) as directory:
                text = directory.read("flake.nix", most=_MAX_FLAKE)
        except HiveError:  # a source without a flake.nix, or one that is gone
            return _OTHER
        return self.labels.get(text, _OTHER)

    def summarize(self, stderr: str) -> str:
        """What failed nix wrote, as `failures.summarize` reduces it, with the owner of every file."""
        summary = failures.summarize(stderr, self.describe)
        if not self.module or f" of {META}" not in summary or _MODULE not in summary:
            return summary
        return f"{summary}\nThat line takes {_MODULE} from {self.module}"

    def explain(self, error: CommandFailed, what: str) -> CommandFailed:
        """The failure of nix as `what`, with a summary of its output for the reason."""
        return CommandFailed(what, self.summarize(error.why) or error.what, error.fix)


def source_owner(host: Host, name: str, commit: str | None, head: str) -> SourceOwner:
    """The owners of the sources of a build: of a proposed commit, or (None) of what the agent has; `head` is meta's."""
    git_dir = host.paths.applied_git(name)
    built = commit or objects.ref(git_dir, "refs/heads/main")
    label = PROPOSAL if commit else label_of(name)
    flake = objects.file_at(git_dir, built, "flake.nix") if built else b""
    agent = {flake: label} if built else {}
    labels = {**agent, objects.file_at(host.paths.meta / ".git", head, "flake.nix"): META}
    return owner_among(host, labels, f"flake.nix:{_module_line(flake)} of {label}" if flake else "")


def _module_line(flake: bytes) -> int:
    """The line of a flake that has its modules, else its outputs, else the first."""
    found = next(filter(None, (pattern.search(flake) for pattern in _OUTPUTS)), None)
    return flake.count(b"\n", 0, found.end()) + 1 if found else 1


def owner_among(host: Host, labels: Mapping[bytes, str], module: str = "") -> SourceOwner:
    """The owners of the sources in the store of this host, by the texts of their flakes."""
    return SourceOwner(host.paths.root / "nix/store", labels, module)


def label_of(*names: str) -> str:
    """What the deployed flake of an agent is called, or one that several have alike."""
    return f"the configuration of {', '.join(names)}"
