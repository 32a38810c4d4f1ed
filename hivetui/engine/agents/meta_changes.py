"""Changes to the meta repo on behalf of one agent, each under meta's lock, which is held no longer than the change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hivetui.engine.host import locks
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.meta import repository
from hivetui.engine.model.operations import Operator
from hivetui.engine.operations.rollback import run_to_completion
from hivetui.engine.proposals import tags


@asynccontextmanager
async def hold_meta(host: Host, purpose: str) -> AsyncIterator[None]:
    """Hold meta's lock for the block, after waiting for it. `purpose` is what others who wait are told.

    The work tree is restored to the last commit first, in case a crash left it half-written, and again when the block
    fails or is cancelled.
    """
    with await locks.wait_for(locks.meta_lock(host.paths), purpose):
        await repository.restore_work_tree(host)
        try:
            yield
        except BaseException:
            await run_to_completion(repository.restore_work_tree(host))
            raise


async def add_to_meta(host: Host, progress: Progress, name: str) -> None:
    """Add an agent to meta, at its applied `main`; one that meta has already is left as it is."""
    async with hold_meta(host, f"spawn {name}"):
        await _sync_with(host, progress, name)


async def pin_in_meta(host: Host, progress: Progress, name: str, commit: str, message: str) -> str:
    """Lock an agent to `commit` with a commit of this message, adding it to meta if necessary; meta's HEAD then."""
    async with hold_meta(host, message):
        await _sync_with(host, progress, name)
        return await repository.pin(host, progress, name, commit, message)


async def _sync_with(host: Host, progress: Progress, name: str) -> None:
    await repository.sync(host, progress, sorted({*await repository.pinned_commits(host), name}))


async def remove_from_meta(host: Host, progress: Progress, name: str) -> None:
    """Remove an agent from meta; one that meta does not have is not an error."""
    if name not in await repository.pinned_commits(host):
        return
    async with hold_meta(host, f"remove {name} from meta"):
        await repository.sync(host, progress, sorted(set(await repository.pinned_commits(host)) - {name}))


async def update_base(host: Host, revision: str | None, operator: Operator) -> tuple[str, str]:
    """Lock the base flake at its newest revision, or at this one; the revisions before and after."""
    await repository.require_base(host)  # before the lock, whose file would be made on a host without a hive
    async with hold_meta(host, f"update the base flake by {operator.name}"):
        before = await repository.require_base(host)
        await repository.update_base(host, revision, f"By {operator.name} ({operator.source}).")
        return before, await repository.base_revision(host) or ""


async def keep_last_id(host: Host, name: str) -> None:
    """Store the highest proposal id in meta before a purge of `name` removes the tags that tell it.

    Ids are never used twice, not after a purge either.
    """
    async with hold_meta(host, f"purge {name}"):
        await repository.remember_last_id(host, tags.highest_id(host))
