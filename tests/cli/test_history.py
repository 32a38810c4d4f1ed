"""The verb `history`: what was deployed when and by whom, also what failed, within the limits that are given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from hivetui.cli import render
from hivetui.engine.model.history import HistoryEntry, Outcome
from hivetui.engine.model.proposals import ProposalKind

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def entry(number: int, outcome: Outcome, error: str | None = None) -> HistoryEntry:
    return HistoryEntry(
        id=number, agent="iris", outcome=outcome, kind=ProposalKind.DEPLOY, commit="c" * 40,
        at=NOW - timedelta(days=3), deployed_at=None if error else NOW - timedelta(days=3), operator="ada",
        title=f"Change {number} \x1b[2J", note="asked for it", error=error,
    )  # fmt: skip


@pytest.mark.parametrize("width", [0, 80])
def test_a_deploy_is_listed_with_its_title_and_one_that_failed_among_them(width: int) -> None:
    entries = [entry(8, Outcome.FAILED, "Cannot build\nno room\nFree some."), entry(7, Outcome.ACTIVE)]
    head, failed, active = render.history(entries, NOW, width)
    assert ("COMMIT" in head) == (width == 0), "a narrow terminal has the title in place of the commit"
    assert failed.split()[:6] == ["8", "iris", "failed", "11-24", "12:00", "ada"]
    assert "Change 8 ‹U+001B›[2J" in failed
    assert width or failed.endswith("; Cannot build: no room")
    assert active.split()[2] == "active"
    assert all(len(line) <= (width or 200) for line in (failed, active))


@pytest.mark.slow
def test_the_history_has_titles_failures_and_limits(run: Cli) -> None:
    good = run.submit('{ ... }: { environment.variables.A = "1"; }\n', "Greet in the morning")
    for proposal, status in (good, 0), (run.submit('{ ... }: { lab.fail = "no room"; }\n', "Fill the disk"), 1):
        number, commit = str(proposal["id"]), proposal["commit"]
        base = run("show", number, "--json").json["proposal"]["base"]
        assert run("approve", number, "--commit", commit, "--base", base, "--note", "why not").status == status

    def listed(*words: str) -> list[tuple[str, str]]:
        rows = run("history", run.agent, *words, "--json").json["history"]
        return [(row["state"], row["title"]) for row in rows]

    failed, active, first = run("history", run.agent, "--json").json["history"]
    assert (failed["state"], failed["title"], failed["deployed_at"]) == ("failed", "Fill the disk", None)
    assert "no room" in failed["error"]
    assert (active["state"], active["title"], active["note"]) == ("active", "Greet in the morning", "why not")
    assert (first["id"], first["state"], first["title"], first["error"]) == (0, "deployed", "first system", None)
    assert listed("--state", "failed") == [("failed", "Fill the disk")]
    assert len(listed("--state", "failed", "--state", "active")) == 2
    assert listed("--grep", "morn[a-z]+") == [("active", "Greet in the morning")]
    assert listed("--grep", "no room") == [("failed", "Fill the disk")]
    assert listed("--until", "1d") == []
    assert len(listed("--since", "1d", "--until", "0s")) == 3
    assert len(listed("--since", "-1d", "--until", "- 0s")) == 3  # as journalctl takes them
    assert "Greet in the morning; why not" in run("history").out
    run("stop", run.agent)
    assert listed()[1] == ("inactive", "Greet in the morning")


@pytest.mark.parametrize(
    ("words", "status", "what"),
    [
        (("--since", "soonish"), 65, "not a time"),
        (("--since", "1h", "--until", "2h"), 65, "--since is after --until"),
        (("--grep", "(?=x)"), 65, "not a valid regular expression"),
        (("--state", "running"), 64, "not understood"),
    ],
)
def test_a_limit_that_is_not_understood_is_refused(run: Cli, words: tuple[str, ...], status: int, what: str) -> None:
    ended = run("history", *words)
    assert ended.status == status
    assert what in ended.err
