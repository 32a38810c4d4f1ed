"""The intent of an agent, kept across processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivetui.engine.agents import intent
from hivetui.engine.agents.intent import Built, Intent, Wanted
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.operations.rollback import RollbackFailed

BUILT = Built(commit="c" * 40, base="b" * 40, system="/nix/store/x")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


def test_an_agent_without_an_intent_should_not_run(paths: Paths) -> None:
    assert intent.read(paths, "alice") == Intent(wanted=Wanted.STOPPED)
    assert intent.names_with_intent(paths) == ()


def test_setting_one_field_keeps_the_others(paths: Paths) -> None:
    intent.set_built(paths, "alice", BUILT)
    intent.set_wanted(paths, "alice", Wanted.RUNNING)
    assert intent.read(paths, "alice") == Intent(wanted=Wanted.RUNNING, built=BUILT)
    assert intent.names_with_intent(paths) == ("alice",)


def test_a_damaged_file_counts_as_missing(paths: Paths) -> None:
    intent.set_wanted(paths, "alice", Wanted.RUNNING)
    paths.intent("alice").write_text('{"wanted": "run')
    assert intent.read(paths, "alice") == Intent()


def test_forget_removes_the_file(paths: Paths) -> None:
    intent.set_wanted(paths, "alice", Wanted.RUNNING)
    intent.forget(paths, "alice")
    assert not paths.intent("alice").exists()


def test_work_in_progress_is_recorded_until_it_ends(paths: Paths) -> None:
    with intent.in_progress(paths, "alice", OperationKind.SPAWN):
        assert intent.read(paths, "alice").doing is OperationKind.SPAWN
    assert intent.read(paths, "alice").doing is None


def test_a_failure_removes_the_record_of_work_in_progress(paths: Paths) -> None:
    with pytest.raises(OperationFailed), intent.in_progress(paths, "alice", OperationKind.SPAWN):
        raise OperationFailed("no")
    assert intent.read(paths, "alice").doing is None


def test_a_failed_rollback_leaves_the_record_for_repair(paths: Paths) -> None:
    with pytest.raises(RollbackFailed), intent.in_progress(paths, "alice", OperationKind.SPAWN):
        raise RollbackFailed("no")
    assert intent.read(paths, "alice").doing is OperationKind.SPAWN


def test_an_agent_forgotten_during_the_work_stays_forgotten(paths: Paths) -> None:
    with intent.in_progress(paths, "alice", OperationKind.PURGE):
        intent.forget(paths, "alice")
    assert intent.names_with_intent(paths) == ()


@pytest.mark.parametrize(
    ("commit", "base", "expected"),
    [
        ("c" * 40, "b" * 40, False),
        ("d" * 40, "b" * 40, True),
        ("c" * 40, "e" * 40, True),
        (None, "b" * 40, False),
        ("c" * 40, None, False),
    ],
)
def test_a_rebuild_is_due_when_main_or_the_base_has_moved(commit: str | None, base: str | None, expected: bool) -> None:
    assert intent.needs_update(Intent(built=BUILT), commit, base) is expected


def test_without_a_build_no_rebuild_is_due() -> None:
    assert intent.needs_update(Intent(), "c" * 40, "b" * 40) is False
