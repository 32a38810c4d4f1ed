"""What an agent has deployed: the commit in its applied repo, and what its system was built from."""

from __future__ import annotations

from pathlib import Path

from hivetui.engine.agents import intent
from hivetui.engine.agents.intent import Built
from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.meta import repository
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.operations import OperationRequest
from hivetui.engine.proposals.recording import describe_operator
from hivetui.engine.proposals.submit import decision_lock
from hivetui.engine.records import keeping, signing
from hivetui.engine.records.statements import Decision, Proof, Verdict


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


async def remember_built(host: Host, name: str, system: Path, meta: str | None = None) -> None:
    """Store in the agent's intent that `system` was built from applied `main` on the base flake of meta's lock.

    `meta` is the commit of meta that it was evaluated with, by default its HEAD.
    """
    commit, base = AppliedRepo(host, name).main(), await repository.base_revision(host, meta)
    if commit is not None and base is not None:
        intent.set_built(host.paths, name, Built(commit=commit, base=base, system=str(system)))


async def record_rebuild(host: Host, name: str, request: OperationRequest, commit: str, system: Path) -> None:
    """Record that the operation of `request` has built `system` from the deployed commit, before it is run.

    A rebuild that fails afterwards leaves a record of a system that was not kept, which is no contradiction.
    """
    if request.operation is None:
        return
    applied = AppliedRepo(host, name)
    decision = Decision(
        proposal=None,
        agent=name,
        kind=request.kind.value,
        decision=Verdict.REBUILD,
        at=host.clock(),
        operator=describe_operator(request.operator),
        commit=commit,
        base=commit,
        tree=objects.tree_of(applied.git_dir, commit),
        meta=await keeping.meta_state(host),
        effect=None,
        findings=None,
        rules=None,
        note=request.note,
        signed=Proof.UNSIGNED,
        operation=request.operation,
        system=str(system),
    )
    with await decision_lock(host, name, f"rebuild {name}"):
        await keeping.record_rebuild(signing.without_operator_key(host), applied.git, request.operation, decision)


def rebuilt_root(paths: Paths, name: str) -> Path:
    """The out-link that keeps the system of the last spawn or rebuild from garbage collection."""
    return paths.roots / name / "rebuild"
