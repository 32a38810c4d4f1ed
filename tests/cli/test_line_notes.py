"""Notes on lines on the command line: sent with a denial, shown, and marked in the proposal that follows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Cli

MODULE = "{ ... }:\n{\n  # one\n  # two\n}\n"


@pytest.fixture
def denied(run: Cli) -> dict[str, Any]:
    """A proposal that was denied with two notes on lines."""
    made = run.submit(MODULE, "One")
    as_object = json.dumps({"file": "agent.nix", "from": 4, "text": "two \x1b[31m: why?"})
    ran = run("deny", str(made["id"]), "--note", "No", "--line", "agent.nix:new:3:one: why?", "--line", as_object)
    assert ran.status == 0, ran.err
    assert "  agent.nix:3: one: why?" in ran.out.splitlines()
    assert "\x1b" not in ran.out
    found: dict[str, Any] = run("show", str(made["id"]), "--json").json["proposal"]
    return found


def test_notes_are_listed_with_the_proposal_and_marked_in_the_next(run: Cli, denied: dict[str, Any]) -> None:
    assert [(one["file"], one["side"], one["from"], one["to"]) for one in denied["lines"]] == [
        ("agent.nix", "new", 3, 3),
        ("agent.nix", "new", 4, 4),
    ]
    following = str(run.submit(MODULE.replace("one", "1"), "Again")["id"])
    previous = run("show", following, "--json").json["review"]["previous"]
    assert (previous["id"], previous["note"]) == (denied["id"], "No")
    assert [one["mark"] for one in previous["lines"]] == ["touched", "untouched"]
    shown = run("show", following)
    assert f"denied before as {denied['id']}" in shown.out
    assert "  touched   agent.nix:3: one: why?" in shown.out.splitlines()
    assert f"--diff --against denied/{denied['id']}" in shown.err
    since = run("show", following, "--diff", "--against", f"denied/{denied['id']}").out
    assert "-  # one" in since
    assert "+  # 1" in since
    assert "+  # two" not in since
    run("withdraw", following)


def test_a_denied_commit_that_is_proposed_again_says_so_everywhere(run: Cli, denied: dict[str, Any]) -> None:
    again = run("retry", str(denied["id"]), "--json").json["proposal"]
    expected = {
        "id": denied["id"],
        "note": "No",
        "decided_by": denied["decided_by"],
        "decided_at": denied["decided_at"],
    }
    (listed,) = run("proposals", "--json").json["proposals"]
    shown = run("show", str(again["id"]))
    assert again["denied_before"] == listed["denied_before"] == expected
    assert f"(denied before as {denied['id']})" in run("proposals").out
    assert f"!! THIS VERY COMMIT WAS DENIED as {denied['id']} by {denied['decided_by']}, " in shown.out
    assert ": No\n" in shown.out
    assert f"denied before as {denied['id']} by" not in shown.out, "that is said once"
    assert "  untouched agent.nix:3: one: why?" in shown.out.splitlines()
    assert denied["denied_before"] is None
    run("withdraw", str(again["id"]))


def test_a_note_on_a_line_that_is_not_there_is_refused_and_nothing_is_denied(run: Cli) -> None:
    number = str(run.submit(MODULE.replace("one", "three"), "Three")["id"])
    for wrong in ("agent.nix:new:99:x", "none.nix:new:1:x", "nonsense", '{"file": "agent.nix"}', "agent.nix:new:3:"):
        assert run("deny", number, "--note", "No", "--line", wrong, "--json").error["code"] == 65
    assert run("show", number, "--json").json["proposal"]["state"] == "pending"
    run("withdraw", number)
