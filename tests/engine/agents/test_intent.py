"""What an agent is meant to do, kept across processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivetui.engine.agents import intent
from hivetui.engine.agents.intent import Built, Intent, Wanted
from hivetui.engine.host.places import Places
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.operations.undo import NotTakenBack

BUILT = Built(commit="c" * 40, base="b" * 40, system="/nix/store/x")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_an_agent_that_nobody_asked_for_is_not_meant_to_run(places: Places) -> None:
    assert intent.read(places, "alice") == Intent(wanted=Wanted.STOPPED)
    assert intent.known(places) == ()


def test_what_is_wanted_and_what_was_built_are_kept_apart(places: Places) -> None:
    intent.remember_built(places, "alice", BUILT)
    intent.want(places, "alice", Wanted.RUNNING)
    assert intent.read(places, "alice") == Intent(wanted=Wanted.RUNNING, built=BUILT)
    assert intent.known(places) == ("alice",)


def test_a_torn_file_counts_as_none(places: Places) -> None:
    intent.want(places, "alice", Wanted.RUNNING)
    places.intent("alice").write_text('{"wanted": "run')
    assert intent.read(places, "alice") == Intent()


def test_an_agent_that_is_forgotten_has_no_file(places: Places) -> None:
    intent.want(places, "alice", Wanted.RUNNING)
    intent.forget(places, "alice")
    assert not places.intent("alice").exists()


def test_what_is_being_done_is_seen_meanwhile_and_not_afterwards(places: Places) -> None:
    with intent.doing(places, "alice", OperationKind.SPAWN):
        assert intent.read(places, "alice").doing is OperationKind.SPAWN
    assert intent.read(places, "alice").doing is None


def test_a_failure_is_an_end_too(places: Places) -> None:
    with pytest.raises(OperationFailed), intent.doing(places, "alice", OperationKind.SPAWN):
        raise OperationFailed("no")
    assert intent.read(places, "alice").doing is None


def test_what_could_not_be_taken_back_stays_to_be_found(places: Places) -> None:
    with pytest.raises(NotTakenBack), intent.doing(places, "alice", OperationKind.SPAWN):
        raise NotTakenBack("no")
    assert intent.read(places, "alice").doing is OperationKind.SPAWN


def test_an_agent_that_is_forgotten_while_something_is_done_stays_forgotten(places: Places) -> None:
    with intent.doing(places, "alice", OperationKind.PURGE):
        intent.forget(places, "alice")
    assert intent.known(places) == ()


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
