"""Records over the life of an agent: begun by its spawn, kept in meta after its purge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.operations import OperationKind, OperationState
from hivetui.engine.records import keeping
from hivetui.engine.verification.verify import verify

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAgent


@pytest.mark.slow
async def test_records_begin_with_the_spawn_and_stay_after_a_purge(agent: EmbeddedAgent) -> None:
    meta = agent.host.paths.meta / ".git"
    assert set(keeping.record_refs(agent.applied.git_dir)) == {"0"} == set(keeping.record_refs(meta))
    number = await agent.submit_and_approve("environment.variables.LEVEL = 1;")
    assert (await agent.run(OperationKind.DEPLOY, number)).state is OperationState.SUCCEEDED
    rebuilt = await agent.run(OperationKind.REBUILD)
    assert (await verify(agent.host)).problems == ()
    records = keeping.record_refs(agent.applied.git_dir)
    assert set(records) == {"0", str(number), f"rebuild-{rebuilt.id}"}

    assert (await agent.run(OperationKind.PURGE)).state is OperationState.SUCCEEDED
    assert set(records.values()) <= set(keeping.record_refs(meta).values())
    found = await verify(agent.host)
    assert (found.problems, found.checked) == ((), 4)
    assert (await verify(agent.host, signers="")).problems != ()
    await agent.spawn()
    assert (await verify(agent.host)).problems == ()
    assert set(keeping.record_refs(agent.applied.git_dir)) == {"0"}
