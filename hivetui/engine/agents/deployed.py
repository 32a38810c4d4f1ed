"""What an agent has deployed: the commit in its applied repo, and what its system was built from."""

from __future__ import annotations

from pathlib import Path

from hivetui.engine.agents import intent
from hivetui.engine.agents.intent import Built
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadData


def deployed_commit(host: Host, name: str) -> str:
    """Applied `main`; BadData, with the ways out, for a repo that is missing or has the older layout."""
    applied = AppliedRepo(host, name)
    commit = applied.main()
    if commit is None or not applied.has_layout():
        raise BadData(
            f"{applied.folder} does not have the layout of an applied repo",
            "It has no deployed/0." if applied.exists() else "It does not exist.",
            f"Migrate it (hivetui repair {name}), or hivetui destroy {name} --purge and hivetui spawn {name}.",
        )
    return commit


async def remember_built(host: Host, name: str, system: Path) -> None:
    """Store in the agent's intent that `system` was built from applied `main` on the base flake of meta's lock."""
    commit, base = AppliedRepo(host, name).main(), await repository.base_revision(host)
    if commit is not None and base is not None:
        intent.set_built(host.paths, name, Built(commit=commit, base=base, system=str(system)))


def rebuilt_root(paths: Paths, name: str) -> Path:
    """The out-link that keeps the system of the last spawn or rebuild from garbage collection."""
    return paths.roots / name / "rebuild"
