"""What an agent is meant to do, kept across processes."""

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


def test_an_agent_that_nobody_asked_for_is_not_meant_to_run(paths: Paths) -> None:
    assert intent.read(paths, "alice") == Intent(wanted=Wanted.STOPPED)
    assert intent.names_with_intent(paths) == ()


def test_what_is_wanted_and_what_was_built_are_kept_apart(paths: Paths) -> None:
    intent.set_built(paths, "alice", BUILT)
    intent.set_wanted(paths, "alice", Wanted.RUNNING)
    assert intent.read(paths, "alice") == Intent(wanted=Wanted.RUNNING, built=BUILT)
    assert intent.names_with_intent(paths) == ("alice",)


def test_a_torn_file_counts_as_none(paths: Paths) -> None:
    intent.set_wanted(paths, "alice", Wanted.RUNNING)
    paths.intent("alice").write_text('{"wanted": "run')
    assert intent.read(paths, "alice") == Intent()


def test_an_agent_that_is_forgotten_has_no_file(paths: Paths) -> None:
    intent.set_wanted(paths, "alice", Wanted.RUNNING)
    intent.forget(paths, "alice")
    assert not paths.intent("alice").exists()


def test_what_is_being_done_is_seen_meanwhile_and_not_afterwards(paths: Paths) -> None:
    with intent.in_progress(paths, "alice", OperationKind.SPAWN):
        assert intent.read(paths, "alice").doing is OperationKind.SPAWN
    assert intent.read(paths, "alice").doing is None


def test_a_failure_is_an_end_too(paths: Paths) -> None:
    with pytest.raises(OperationFailed), intent.in_progress(paths, "alice", OperationKind.SPAWN):
        raise OperationFailed("no")
    assert intent.read(paths, "alice").doing is None


def test_what_could_not_be_taken_back_stays_to_be_found(paths: Paths) -> None:
    with pytest.raises(RollbackFailed), intent.in_progress(paths, "alice", OperationKind.SPAWN):
        raise RollbackFailed("no")
    assert intent.read(paths, "alice").doing is OperationKind.SPAWN


def test_an_agent_that_is_forgotten_while_something_is_done_stays_forgotten(paths: Paths) -> None:
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


def test_of_what_nobody_built_nothing_is_known() -> None:
    assert intent.needs_update(Intent(), "c" * 40, "b" * 40) is False
