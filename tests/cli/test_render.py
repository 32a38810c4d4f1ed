"""What verbs print for people, as pure text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hivetui.cli import render
from hivetui.engine.model.operations import Entry, EntryKind, Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import FileChange, FileStatus, Proposal, ProposalKind, ProposalState

NOW = datetime(2026, 11, 26, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "proposal", "command"),
    [
        (OperationKind.DEPLOY, 7, "hivetui retry 7"),
        (OperationKind.ROLLBACK, 8, "hivetui retry 8"),
        (OperationKind.REBUILD, None, "hivetui rebuild nina"),
        (OperationKind.SPAWN, None, "hivetui spawn nina"),
        (OperationKind.PURGE, None, "hivetui destroy nina --purge"),
    ],
)
def test_an_operation_that_failed_says_how_to_try_it_again(
    kind: OperationKind, proposal: int | None, command: str
) -> None:
    failed = Operation(
        id=3, kind=kind, agent="nina", proposal=proposal, state=OperationState.FAILED, step="build",
        started_at=NOW, ended_at=NOW, operator="root", error="no space",
    )  # fmt: skip
    assert f"try again: {command}" in render.operation(failed, NOW, str)
    succeeded = failed.model_copy(update={"state": OperationState.SUCCEEDED})
    assert not any("try again" in line for line in render.operation(succeeded, NOW, str))


@pytest.mark.parametrize(
    ("step", "shown"), [("claim", "lock"), ("main", "update main"), ("end", "finish"), ("put back", "restore previous")]
)
def test_a_verb_calls_a_step_what_the_console_calls_it(step: str, shown: str) -> None:
    row = Operation(
        id=3, kind=OperationKind.DEPLOY, agent="nina", proposal=7, state=OperationState.FAILED, step=step,
        started_at=NOW, ended_at=NOW, operator="root", error="no space",
    )  # fmt: skip
    assert render.entry(Entry(number=1, time=NOW, kind=EntryKind.STEP, text=step)) == f"== {shown}"
    assert f"step:      {shown}" in render.operation(row, NOW, str)
    assert f" failed  {shown}  " in render.operations([row], NOW, 0)[1]


def test_a_proposal_names_those_that_make_the_same_change_whosever_they_are() -> None:
    first = Proposal(
        id=1, kind=ProposalKind.DEPLOY, agent="nina", state=ProposalState.PENDING, commit="a" * 40, base="b" * 40,
        stale=False, title="Add jq", description="", submitted_by="nina", submitted_at=NOW, group=1,
    )  # fmt: skip
    rows = [first, *(first.model_copy(update={"id": number}) for number in (4, 5))]
    shown = render.proposals(rows, NOW)
    assert [line.partition("Add jq")[2].strip() for line in shown[1:]] == [
        "(same change as 4, 5)",
        "(same change as 1)",
        "(same change as 1)",
    ]
    assert "queue:     same change as later ones" in render.proposal(first, NOW)


@pytest.mark.parametrize(
    ("status", "modes", "others", "shown"),
    [
        ("added", ("000000", "100644"), {"additions": 2, "deletions": 0}, "added        +2 -0      a"),
        ("added", ("000000", "100755"), {"additions": 2, "deletions": 0}, "added        +2 -0      a  mode 100755"),
        ("deleted", ("100644", "000000"), {"additions": 0, "deletions": 2}, "deleted      +0 -2      a"),
        (
            "modified",
            ("100644", "100755"),
            {"additions": None, "deletions": None, "old_size": 934, "new_size": 10240},
            "modified     binary     a  934 B -> 10 KiB  mode 100644 -> 100755",
        ),
    ],
)
def test_a_file_shows_its_mode_where_that_tells_something_and_its_size_where_lines_do_not(
    status: str, modes: tuple[str, str], others: dict[str, int | None], shown: str
) -> None:
    change = FileChange.model_validate(
        {"status": FileStatus(status), "path": "a", "old_path": None, "old_mode": modes[0], "new_mode": modes[1]}
        | {"old_blob": "1" * 40, "new_blob": "2" * 40}
        | others
    )
    assert render._file(change) == shown
