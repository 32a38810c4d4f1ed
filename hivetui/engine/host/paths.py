"""Every path of the engine, below one root. Pure.

`Paths(Path("/"))` is a real host. Any path in a container's configuration or in a flake is one of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.model.agents import Mount
from hivetui.engine.model.names import MANAGER, container_of
from hivetui.engine.model.places import HOST_SOCKET


@dataclass(frozen=True)
class Paths:
    """The paths of a hive below `root` (absolute)."""

    root: Path
    containers_folder: str = "etc/nixos-containers"  # etc/containers where the host's stateVersion is below 22.05

    @property
    def library(self) -> Path:
        """Everything that outlives a reboot."""
        return self.root / "var/lib/hyperhive"

    @property
    def agents(self) -> Path:
        """One directory an agent, with its proposed repo, credentials and state."""
        return self.library / "agents"

    @property
    def applied(self) -> Path:
        """One directory an agent, with its applied repo in `.git`."""
        return self.library / "applied"

    @property
    def meta(self) -> Path:
        """The work tree of the meta repo."""
        return self.library / "meta"

    @property
    def engine(self) -> Path:
        """The engine's own state."""
        return self.library / "engine"

    @property
    def runtime(self) -> Path:
        """One directory an agent; removed by a reboot."""
        return self.root / "run/hyperhive/agents"

    @property
    def host_socket(self) -> Path:
        """The socket of the engine's service."""
        return self.root / HOST_SOCKET

    @property
    def tokens(self) -> Path:
        """What requests with a token have led to, one file each."""
        return self.engine / "tokens"

    @property
    def containers(self) -> Path:
        """The directory of the container configurations."""
        return self.root / self.containers_folder

    @property
    def operations(self) -> Path:
        """One directory an operation: request, record, lock."""
        return self.engine / "operations"

    @property
    def effects(self) -> Path:
        """What previews found, one file a proposal."""
        return self.engine / "effects"

    @property
    def locks(self) -> Path:
        """The lock files of agents and of meta."""
        return self.engine / "locks"

    @property
    def roots(self) -> Path:
        """Links that keep candidates from garbage collection (nix-build(1), out-link)."""
        return self.engine / "roots"

    @property
    def work(self) -> Path:
        """Private working directories of commands that need one."""
        return self.engine / "work"

    @property
    def event_log(self) -> Path:
        """One JSON event a line."""
        return self.engine / "events.jsonl"

    @property
    def record_key(self) -> Path:
        """The host's private key that signs records, mode 0600; the public one is beside it, as `.pub`."""
        return self.engine / "keys/record"

    @property
    def allowed_signers(self) -> Path:
        """Whose keys may sign records, and when (ssh-keygen(1), "ALLOWED SIGNERS")."""
        return self.engine / "allowed_signers"

    @property
    def unsigned_record(self) -> Path:
        """Why the newest record could not be signed; missing if it was."""
        return self.engine / "unsigned-record"

    @property
    def verified(self) -> Path:
        """How many problems `verify` found the last time (JSON)."""
        return self.engine / "verified.json"

    def intent(self, name: str) -> Path:
        """Whether the agent should run, and what was built for it last (JSON)."""
        return self.engine / "agents" / f"{name}.json"

    def proposed(self, name: str) -> Path:
        """The proposed repo (untrusted)."""
        return self.agents / name / "config"

    def claude(self, name: str) -> Path:
        """Claude credentials, mode 0700; they outlive the container."""
        return self.agents / name / "claude"

    def state(self, name: str) -> Path:
        """Durable notes; they outlive the container."""
        return self.agents / name / "state"

    def applied_of(self, name: str) -> Path:
        """The directory of the applied repo, to which a flake input points."""
        return self.applied / name

    def applied_git(self, name: str) -> Path:
        """The bare applied repo itself."""
        return self.applied / name / ".git"

    def runtime_of(self, name: str) -> Path:
        """The agent's runtime directory."""
        return self.runtime / name

    def conf(self, name: str) -> Path:
        """The container's configuration."""
        return self.containers / f"{container_of(name)}.conf"

    def limits(self, name: str) -> Path:
        """The systemd drop-in with the container's limits."""
        return self.root / f"run/systemd/system/container@{container_of(name)}.service.d/hyperhive-limits.conf"

    def profile(self, name: str) -> Path:
        """The container's system profile (a symbolic link that nix-env replaces)."""
        return self.root / "nix/var/nix/profiles/per-container" / container_of(name) / "system"

    def mounts(self, name: str) -> tuple[Mount, ...]:
        """The bind mounts of the agent's container, in the order of its configuration."""
        own = (
            ("/run/hive", self.runtime_of(name), False),
            ("/root/.claude", self.claude(name), False),
            ("/state", self.state(name), False),
        )
        manager = (("/agents", self.agents, False), ("/applied", self.applied, True), ("/meta", self.meta, True))
        rows = own + manager if name == MANAGER else own
        return tuple(Mount(inside=inside, source=str(source), read_only=ro) for inside, source, ro in rows)
