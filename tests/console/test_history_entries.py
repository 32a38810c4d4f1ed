"""What the history lists: what was deployed when and by whom, also what failed, within the chosen limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.history import Outcome, combine, with_agent_states
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalKind, ProposalState
from hivetui.screens.history import HistoryScreen
from hivetui.screens.history_entries import HistoryFilter, build_detail, build_row
from hivetui.widgets.table.columns import ColumnLayout

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
COMMIT = "c" * 40


def deployment(number: int, days: float, *, running: bool = False) -> Deployment:
    return Deployment(
        id=number,
        agent="iris",
        commit=COMMIT,
        kind=ProposalKind.DEPLOY if number else ProposalKind.SPAWN,
        deployed_at=NOW - timedelta(days=days),
        operator="ada",
        note="asked for it",
        running=running,
    )


def proposal(number: int, state: ProposalState, days: float, error: str | None = None) -> Proposal:
    return Proposal(
        id=number,
        kind=ProposalKind.DEPLOY,
        agent="iris",
        state=state,
        commit=COMMIT,
        base=COMMIT,
        stale=False,
        title=f"Change {number}",
        description="",
        submitted_by="hm1nd",
        submitted_at=NOW - timedelta(days=days),
        decided_by="ada",
        decided_at=NOW - timedelta(days=days),
        error=error,
    )


ENTRIES = combine(
    [deployment(0, 40), deployment(2, 3), deployment(5, 0.1, running=True)],
    [
        proposal(2, ProposalState.DEPLOYED, 3),
        proposal(5, ProposalState.DEPLOYED, 0.1),
        proposal(4, ProposalState.FAILED, 2, "The system could not be built\nerror: undefined variable 'jqq'"),
        proposal(3, ProposalState.DENIED, 2),
    ],
)


def test_failed_deploys_are_listed_among_those_that_were_deployed() -> None:
    assert [(entry.id, str(entry.outcome)) for entry in ENTRIES] == [
        (5, "active"),
        (4, "failed"),
        (2, "deployed"),
        (0, "deployed"),
    ]


def test_every_deploy_has_a_title_and_the_first_system_says_what_it_is() -> None:
    assert [entry.title for entry in ENTRIES] == ["Change 5", "Change 4", "Change 2", "first system"]


def test_the_limits_of_agent_outcome_and_days_hold_together() -> None:
    def ids(limits: HistoryFilter) -> list[int]:
        return [entry.id for entry in limits.select(ENTRIES, NOW)]

    assert ids(HistoryFilter(days=7)) == [5, 4, 2]
    assert ids(HistoryFilter(outcome=Outcome.FAILED)) == [4]
    assert ids(HistoryFilter(outcome=Outcome.DEPLOYED, days=7)) == [2]
    assert ids(HistoryFilter(agent="otto")) == []
    assert HistoryFilter(agent="iris", days=1).describe() == "iris, last 1 day"


@pytest.mark.parametrize("operator", ["ada", "marguerite.d"])
@pytest.mark.parametrize(("days", "when"), [(0, "Tue 11-24 14:03Z"), (400, "Tue 2025-11-24 14:03Z")])
def test_at_80_columns_who_when_and_what_became_of_it_are_read_whole(operator: str, days: int, when: str) -> None:
    bare = {"operator": operator, "note": "", "error": None}
    entries = [one.model_copy(update={**bare, "at": one.at - timedelta(days=days)}) for one in ENTRIES]
    layout = ColumnLayout(HistoryScreen.COLUMNS)
    layout.grow([build_row(entry, NOW, utc=True) for entry in entries])
    layout.fit(80)
    shown = {HistoryScreen.COLUMNS[index].id: width for index, width in layout.shown}
    assert shown["by"] >= len(operator)
    assert shown["outcome"] >= len("✓ deployed")
    assert shown["when"] >= len(when)
    assert shown["title"] >= len("first system")
    assert "note" not in shown or shown["title"] > shown["note"]


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Five hours and a half ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "IST-05:30")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("somewhere")
def test_a_time_is_local_unless_utc_is_asked_for_and_the_detail_has_both() -> None:
    entry = ENTRIES[2]
    shown = [build_row(entry, NOW, utc)[1][3] for utc in (False, True)]
    assert [cell if isinstance(cell, str) else cell[0] for cell in shown] == ["Tue 11-24 17:30", "Tue 11-24 12:00Z"]
    assert "2026-11-24 17:30:00 local, 2026-11-24 12:00:00 UTC, 3d 0h ago, by ada" in build_detail(entry, NOW).plain


def test_the_detail_of_a_failed_deploy_has_its_whole_error() -> None:
    text = build_detail(ENTRIES[1], NOW).plain
    assert text.startswith("#4 iris: Change 4\nfailed ")
    assert text.endswith("The system could not be built\nerror: undefined variable 'jqq'")


def test_hostile_text_is_no_control_sequence_in_a_row_or_the_detail() -> None:
    (entry,) = combine([], [proposal(4, ProposalState.FAILED, 2, "\x1b[2Jgone\u202e")])
    assert "\x1b" not in build_detail(entry, NOW).plain
    assert build_row(entry, NOW, utc=True).key == "iris 4"


def test_a_deploy_is_active_only_while_its_agent_runs() -> None:
    def outcomes(state: AgentState) -> set[Outcome]:
        return {entry.outcome for entry in with_agent_states(ENTRIES, dict.fromkeys(("iris", "hugo"), state))}

    assert Outcome.ACTIVE in outcomes(AgentState.RUNNING)
    assert Outcome.ACTIVE not in outcomes(AgentState.STOPPED)
    assert Outcome.INACTIVE in outcomes(AgentState.STOPPED)
    assert outcomes(AgentState.KEPT) == {Outcome.DEPLOYED, Outcome.FAILED}
