"""Every verb on an embedded hive with one agent: exit statuses, the shapes of JSON, the text for people."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.names import port_of
from hivetui.wire.frames import add_exact_bytes

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

GREETING = '{ ... }: { environment.variables.GREETING = "%s"; }\n'
AGENT = {
    *("name", "container", "manager", "port", "state", "deployed", "deployed_commit", "needs_update", "pending"),
    *("operation", "memory_bytes", "cpu_percent", "tasks", "since", "warnings"),
}
PROPOSAL = {
    *("id", "kind", "agent", "state", "commit", "base", "stale", "title", "description", "submitted_by"),
    *("submitted_at", "decided_by", "decided_at", "note", "findings", "files"),
}
OPERATION = {
    "id",
    "kind",
    "agent",
    "proposal",
    "state",
    "step",
    "started_at",
    "ended_at",
    "operator",
    "error",
    "rollback_failed",
    "progress",
}
DEPLOYMENT = {
    *("id", "agent", "commit", "kind", "deployed_at", "operator", "note", "running", "unchanged"),
    *("state", "title", "at", "error"),
}


def test_agents_are_listed_as_promised(run: Cli) -> None:
    (row,) = run("agents", "--json").json["agents"]
    assert set(row) == AGENT
    assert (row["name"], row["container"], row["port"]) == (run.agent, f"h-{run.agent}", port_of(run.agent))
    assert (row["state"], row["manager"]) == ("running", False)
    assert datetime.fromisoformat(row["since"]).tzinfo is not None
    assert row["since"].endswith("Z")


def test_people_see_an_aligned_table(run: Cli) -> None:
    head, row = run("agents").out.splitlines()
    assert head.split()[:3] == ["AGENT", "STATE", "PORT"]
    assert row.index("running") == head.index("STATE")
    assert len(row) <= 80


def test_an_empty_list_says_of_what_it_is_one(run: Cli) -> None:
    ended = "No operations are running; --all lists those that ended.\n"
    assert run("operations").out == ended
    assert run.agent in run("operations", "--all").out
    assert run("proposals").out == "No pending proposals; --all lists those that were decided.\n"
    assert run("proposals", "--all").out == "No proposals yet.\n"


def test_a_proposal_is_pinned_shown_approved_and_in_the_history(run: Cli) -> None:
    proposal = run.submit(GREETING % "one", "Greet \x1b[31mloudly")
    assert set(proposal) >= PROPOSAL
    assert proposal["state"] == "pending"
    assert proposal["id"] in run("agents", "--json").json["agents"][0]["pending"]

    number = str(proposal["id"])
    shown = run("show", number, "--diff", "--json").json
    assert shown["proposal"]["files"][0]["path"] == "agent.nix"
    assert shown["review"]["message"].startswith("Greet \x1b[31mloudly")
    assert '+{ ... }: { environment.variables.GREETING = "one"; }\n' in shown["diff"]
    for_people = run("show", number, "--diff")
    assert "\x1b" not in for_people.out
    assert "Greet ‹U+001B›[31mloudly" in for_people.out

    base = shown["proposal"]["base"]
    reviewed = ("--commit", proposal["commit"], "--base", base, *run.acknowledge(number))
    ended = run("approve", number, *reviewed, "--note", "fine", "--json")
    assert ended.status == 0
    operation = ended.json["operation"]
    assert set(operation) == OPERATION
    assert (operation["kind"], operation["state"], operation["proposal"]) == ("deploy", "succeeded", proposal["id"])
    assert "== build" in ended.err

    newest = run("history", run.agent, "--json").json["history"][0]
    assert set(newest) == DEPLOYMENT
    assert (newest["id"], newest["commit"], newest["note"], newest["running"]) == (
        proposal["id"],
        proposal["commit"],
        "fine",
        True,
    )
    assert run("agents", "--json").json["agents"][0]["deployed"] == proposal["id"]


def test_a_list_of_proposals_has_the_files_and_the_nulls_that_show_has(run: Cli) -> None:
    proposal = run.submit(GREETING % "listed")
    number = proposal["id"]
    shown = run("show", str(number), "--json").json["proposal"]
    (listed,) = (row for row in run("proposals", "--json").json["proposals"] if row["id"] == number)
    assert [file["path"] for file in listed["files"]] == ["agent.nix"]
    assert listed == shown == proposal
    assert (listed["description"], listed["note"], listed["decided_by"], listed["error"]) == (None, None, None, None)
    withdrawn = run("withdraw", str(number), "--json").json["proposal"]
    assert withdrawn["files"] == listed["files"]
    (decided,) = (row for row in run("proposals", "--all", "--json").json["proposals"] if row["id"] == number)
    assert decided == withdrawn
    assert decided["note"] is None


@pytest.mark.slow
def test_who_did_it_is_a_login_name_everywhere(run: Cli) -> None:
    first = run("history", run.agent, "--json").json["history"][-1]
    assert (first["id"], first["operator"], first["note"]) == (0, "hive-c0re", None)
    operator = run("operations", "--all", "--json").json["operations"][-1]["operator"]
    number = str(run.submit(GREETING % "whose")["id"])
    denied = run("deny", number, "--note", "no", "--json").json["proposal"]
    assert denied["submitted_by"] == denied["decided_by"] == operator


@pytest.mark.slow
def test_every_list_says_when_with_the_date_and_the_zone(run: Cli) -> None:
    run.submit(GREETING % "dated")
    today = datetime.now(UTC)
    day = rf"\b({today:%m-%d}|{today - timedelta(days=1):%m-%d}) \d\d:\d\d\b"
    for words, head in (
        (["proposals"], "WHEN (UTC)"),
        (["history"], "DEPLOYED (UTC)"),
        (["operations", "--all"], "STARTED (UTC)"),
    ):
        first, *rows = run(*words).out.splitlines()
        assert head in first
        assert rows
        assert all(re.search(day, row) for row in rows)


def test_a_commit_has_one_length_in_every_list(run: Cli) -> None:
    agent = run("agents", "--json").json["agents"][0]
    short = agent["deployed_commit"][:12]
    assert re.search(rf"\b{agent['deployed']}:{short}\b", run("agents").out)
    assert re.search(rf"\b{short}\b", run("history").out)
    number = str(run.submit(GREETING % "as long as the others")["id"])
    for words in (["agents"], ["proposals", "--all"], ["history"], ["operations", "--all"], ["rules"], ["warnings"]):
        hashes = re.findall(r"\b(?=\d*[a-f])[0-9a-f]{7,64}\b", run(*words).out)
        assert {len(one) for one in hashes} <= {12}, words
    run("withdraw", number)


def members(content: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value in JSON that is neither a list nor an object, with the key that it is under."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from members(value, name)
    elif isinstance(content, list):
        for value in content:
            yield from members(value, key)
    else:
        yield key, content


EXACT_TEXTS = {"text", "message", "diff"}
"""Fields that hold exact texts, which may be empty."""
COMMITS = {"commit", "base", "deployed_commit", "reviewed"}


@pytest.mark.slow
def test_in_the_json_of_every_verb_what_is_not_known_is_null_and_commits_are_whole(run: Cli) -> None:
    numbers = [str(run.submit(GREETING % text)["id"]) for text in ("to be withdrawn", "to be denied", "to be read")]
    run("withdraw", numbers[0])
    run("deny", numbers[1], "--note", "no")
    operation = str(run("operations", "--all", "--json").json["operations"][0]["id"])
    verbs = [
        *(["agents"], ["history"], ["operations"], ["operations", "--all"], ["operation", operation]),
        *(["proposals"], ["proposals", "--all"], *(["show", number, "--diff"] for number in numbers)),
        *(["logs", run.agent, "-n", "9"], ["warnings"], ["doctor"], ["rules"], ["verify"], ["repair"]),
        *(["preview", numbers[2]], ["submit", run.agent], ["withdraw", numbers[2]]),
    ]
    for words in verbs:
        found = list(members(run(*words, "--json").json))
        assert not {key for key, value in found if value == ""} - EXACT_TEXTS, words
        assert {len(str(value)) for key, value in found if key in COMMITS and value is not None} <= {40}, words


@pytest.mark.parametrize(("words", "decision"), [(["deny", "--note", "no"], "denied"), (["withdraw"], "withdrawn")])
def test_a_decided_proposal_says_what_was_decided(run: Cli, words: list[str], decision: str) -> None:
    number = str(run.submit(GREETING % decision)["id"])
    run(words[0], number, *words[1:])
    assert re.search(rf"^{decision}: +by \S+, \d{{4}}-\d\d-\d\dT", run("show", number).out, re.MULTILINE)


def test_a_failed_build_exits_1_and_leaves_what_ran(run: Cli) -> None:
    before = run("agents", "--json").json["agents"][0]["deployed_commit"]
    proposal = run.submit('{ ... }: { lab.fail = "no such thing"; }\n')
    ended = run("approve", str(proposal["id"]), "--commit", proposal["commit"], "--base", proposal["base"])
    assert ended.status == 1
    assert "no such thing" in ended.out
    assert "failed" in ended.out.splitlines()[-1]
    assert f"Try again: hivetui --embedded {run.folder} retry {proposal['id']}" in ended.err
    assert run("agents", "--json").json["agents"][0]["deployed_commit"] == before
    assert run("show", str(proposal["id"]), "--json").json["proposal"]["state"] == "failed"


@pytest.mark.slow
def test_what_runs_already_is_restarted_by_an_approval_only_if_that_is_asked_for(run: Cli) -> None:
    module = "{ ... }: { }\n" + "# %s\n"
    for words, is_restarted in ((), None), ((), False), (("--restart",), True):
        proposal = run.submit(module % is_restarted)
        reviewed = ("--commit", proposal["commit"], "--base", proposal["base"])
        ended = run("approve", str(proposal["id"]), *reviewed, *words, "--json")
        assert (ended.status, ended.json["operation"]["state"]) == (0, "succeeded")
        if is_restarted is None:  # the first makes it what runs: another test may have deployed something else
            continue
        assert ("== health" in ended.err, "== no change" in ended.err) == (is_restarted, not is_restarted)


@pytest.mark.slow
def test_a_failed_deploy_is_retried_under_a_new_id(run: Cli) -> None:
    proposal = run.submit('{ ... }: { lab.fail = "nothing to build"; }\n')
    number = str(proposal["id"])
    assert run("retry", number, "--json").status == 65
    assert run("approve", number, "--commit", proposal["commit"], "--base", proposal["base"]).status == 1
    again = run("retry", number, "--json").json["proposal"]
    assert (again["state"], again["commit"], again["retry_of"]) == ("pending", proposal["commit"], proposal["id"])
    assert again["id"] > proposal["id"]
    assert run("withdraw", str(again["id"])).status == 0
    for_people = run("retry", number)
    assert f"hivetui --embedded {run.folder} show {again['id'] + 1} --diff" in for_people.err
    assert run("withdraw", str(again["id"] + 1)).status == 0


def test_approve_off_a_terminal_needs_what_was_read(run: Cli) -> None:
    proposal = run.submit(GREETING % "two")
    number = str(proposal["id"])
    assert run("approve", number).status == 64
    assert "--commit SHA and --base SHA" in run("approve", number, "--json").error["fix"]
    stale = run("approve", number, "--commit", proposal["commit"], "--base", proposal["commit"], "--json")
    assert stale.status == 75
    assert stale.error["what"].endswith(proposal["base"][:12])
    assert run("withdraw", number, "--json").json["proposal"]["state"] == "withdrawn"


def test_a_denied_proposal_is_decided_once(run: Cli) -> None:
    number = str(run.submit(GREETING % "three")["id"])
    assert run("deny", number, "--note", " ").status == 65
    denied = run("deny", number, "--note", "not now", "--json").json["proposal"]
    assert (denied["state"], denied["note"]) == ("denied", "not now")
    assert run("deny", number, "--note", "again").status == 75
    assert run("withdraw", number).status == 75
    listed = run("proposals", "--all", "--json").json["proposals"]
    assert int(number) in [row["id"] for row in listed]
    assert int(number) not in [row["id"] for row in run("proposals", "--json").json["proposals"]]


@pytest.mark.slow
def test_a_rollback_deploys_the_old_commit_under_a_new_id(run: Cli) -> None:
    proposal = run.submit(GREETING % "four")
    approved = run("approve", str(proposal["id"]), "--commit", proposal["commit"], "--base", proposal["base"])
    assert approved.status == 0
    assert run("rollback", run.agent, "--to", "999", "--note", "x").status == 66
    back = run("rollback", run.agent, "--to", "0", "--note", "as it was", "--json")
    assert back.status == 0
    assert back.json["operation"]["kind"] == "rollback"
    newest, *_, first = run("history", run.agent, "--json").json["history"]
    assert (newest["commit"], newest["kind"], newest["running"]) == (first["commit"], "rollback", True)


def test_operations_are_remembered_with_their_output(run: Cli) -> None:
    rows = run("operations", "--all", "--json").json["operations"]
    first = rows[-1]
    assert (first["id"], first["kind"], first["state"]) == (1, "spawn", "succeeded")
    shown = run("operation", "1", "--json").json
    assert shown["operation"] == first
    assert [entry["number"] for entry in shown["output"]] == list(range(1, len(shown["output"]) + 1))
    assert shown["output"][-1]["state"] == "succeeded"
    assert "== create" in run("operation", "1").out
    followed = [json.loads(line) for line in run("operation", "1", "-f", "--json").out.splitlines()]
    assert followed[0]["entry"]["number"] == 1
    assert followed[-1]["operation"] == first
    assert all(line["schema"] == "hivetui/1" for line in followed)
    assert run("cancel", "1").status == 75


@pytest.mark.slow
def test_stop_start_and_restart_change_the_state(run: Cli) -> None:
    assert run("stop", run.agent, "--json").json["operation"]["state"] == "succeeded"
    assert run("agents", "--json").json["agents"][0]["state"] == "stopped"
    assert run("start", run.agent).status == 0
    assert run("restart", run.agent).status == 0
    assert run("agents", "--json").json["agents"][0]["state"] == "running"


@pytest.mark.slow
def test_starting_what_runs_and_stopping_what_is_stopped_succeed_and_do_nothing(run: Cli) -> None:
    before = run("agents", "--json").json["agents"][0]["since"]
    started = run("start", run.agent)
    assert started.status == 0
    assert f"{run.agent} is already running: nothing to do" in started.out
    assert "nixos-container" not in started.out
    assert run("agents", "--json").json["agents"][0]["since"] == before
    assert run("stop", run.agent).status == 0
    stopped = run("stop", run.agent)
    assert stopped.status == 0
    assert f"{run.agent} is not running: nothing to do" in stopped.out
    assert "nixos-container" not in stopped.out
    assert run("start", run.agent).status == 0


def test_an_agent_that_was_refused_is_in_the_summary(run: Cli) -> None:
    ended = run("start", "nobody", run.agent)
    assert ended.out.splitlines()[-2] == "  nobody: refused: There is no agent nobody"


def test_an_operation_that_has_ended_cannot_be_cancelled_and_says_how_it_ended(run: Cli) -> None:
    error = run("cancel", "1", "--json").error
    assert error["what"] == "Operation 1 cannot be cancelled"
    assert error["why"] == "It has already ended: succeeded."
    assert error["fix"] == f"See how it ended: hivetui --embedded {run.folder} operation 1"


def test_a_name_given_twice_is_done_once(run: Cli) -> None:
    ended = run("restart", run.agent, run.agent, "--json")
    assert ended.json["operation"]["kind"] == "restart"


@pytest.mark.slow
def test_one_failure_among_several_does_not_stop_the_others(run: Cli) -> None:
    ended = run("start", "nobody", run.agent, "--jobs", "2", "--json")
    assert ended.status == 1
    assert [row["agent"] for row in ended.json["operations"]] == [run.agent]
    assert [(row["agent"], row["code"]) for row in ended.json["errors"]] == [("nobody", 66)]


@pytest.mark.slow
def test_rebuild_all_sums_up(run: Cli) -> None:
    ended = run("rebuild", "--all", "--jobs", "2")
    assert ended.status == 0
    summary = ended.out[ended.out.index("summary:") :]
    assert f"rebuild of {run.agent}: succeeded" in summary
    assert run("rebuild").status == 64
    assert run("rebuild", "--all", run.agent).status == 64


def test_logs_are_lines_of_the_agent(run: Cli) -> None:
    lines = run("logs", run.agent, "-n", "2", "--json").json["lines"]
    assert 0 < len(lines) <= 2
    assert {tuple(line) for line in lines} == {("time", "agent", "stream", "text", "priority", "cursor")}
    assert {line["agent"] for line in lines} == {run.agent}
    nothing = run("logs", run.agent, "--grep", "no line says this", "--json")
    assert nothing.json["lines"] == []


@pytest.mark.parametrize(
    ("words", "status"),
    [
        *((["spawn", name], 65) for name in ("", "abcdefghij", "..", "a/b", "-x", "a b", "a\x07", "ä", "a-", "_a")),
        (["start", "a/b"], 65),
        (["logs", ".."], 65),
        (["start", "nobody"], 66),
        (["destroy", "nobody"], 66),
        (["destroy", "nobody", "--purge", "--confirm", "nobody"], 66),
        (["history", "nobody"], 66),
        (["logs", "nobody"], 66),
        (["repair", "nobody"], 66),
        (["submit", "nobody"], 66),
        (["show", "99999"], 66),
        (["show", "-1"], 66),
        (["deny", "99999", "--note", "x"], 66),
        (["withdraw", "99999"], 66),
        (["approve", "99999", "--commit", "a" * 40, "--base", "b" * 40], 66),
        (["operation", "99999"], 66),
        (["cancel", "99999"], 66),
        (["--config", "/nonexistent/x.toml", "agents"], 78),
    ],
)
def test_bad_input_is_one_error_with_its_status(run: Cli, words: list[str], status: int) -> None:
    ended = run(*words, "--json")
    assert ended.status == status
    assert ended.error["what"]
    assert ended.error["fix"]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["submit", "AGENT", "0" * 40], 65),
        (["submit", "AGENT", "zz"], 65),
        (["submit", "AGENT", "--", "--upload-pack=x"], 65),
        (["logs", "AGENT", "--grep", "("], 65),
        (["logs", "AGENT", "--since", "soonish"], 65),
        (["spawn", "AGENT"], 65),
        (["destroy", "AGENT", "--purge"], 64),
        (["destroy", "AGENT", "--purge", "--confirm", "other"], 64),
    ],
)
def test_bad_input_about_an_agent_changes_nothing(run: Cli, words: list[str], status: int) -> None:
    before = run("operations", "--all", "--json").json
    ended = run("--json", *[run.agent if word == "AGENT" else word for word in words])
    assert ended.status == status
    assert ended.error["what"]
    assert run("operations", "--all", "--json").json == before


def test_a_tree_is_not_a_commit(run: Cli) -> None:
    tree = run.git("rev-parse", "HEAD^{tree}")
    assert run("submit", run.agent, tree, "--json").status == 65


def test_verbs_that_list_have_their_plurals(run: Cli) -> None:
    assert isinstance(run("warnings", "--json").json["warnings"], list)
    assert run("repair", "--json").json["repairs"] == []
    assert run("repair", run.agent, "--dry-run", "--json").json["repairs"] == []
    checks = run("doctor", "--json").json["checks"]
    assert {"git", "nix", "base flake"} <= {row["name"] for row in checks}


def test_a_missing_program_is_reported_before_anything_begins(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run("operations", "--all", "--json").json
    monkeypatch.setenv("HYPERHIVE_GIT", "/nonexistent/git")
    assert run("rebuild", run.agent, "--json").status == 69
    monkeypatch.undo()
    assert run("operations", "--all", "--json").json == before


def test_bytes_that_are_not_utf8_are_tokens_for_people_and_exact_in_json(run: Cli) -> None:
    (run.proposed / "byte.txt").write_bytes(b"byte \xf6 end\n")
    (run.proposed / "letters.txt").write_text("letters \\xf6 end\n")
    run.git("add", "-A")
    run.git("-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-m", os.fsdecode(b"B\xe4r"))
    submitted = run("submit", run.agent, "--json")
    assert submitted.status == 0, submitted.err
    number = str(submitted.json["proposal"]["id"])
    shown = run("show", number, "--diff").out
    assert "+byte ‹\\xf6› end" in shown
    assert "+letters \\xf6 end" in shown
    assert "Bär" in shown
    content = run("show", number, "--diff", "--json").json
    assert b"+byte \xf6 end" in base64.b64decode(content["diff_base64"])
    assert b"+letters \\xf6 end" in base64.b64decode(content["diff_base64"])
    assert "+byte ‹\\xf6› end" in content["diff"]


def test_what_is_not_committed_is_mentioned_and_what_is_deployed_is_refused(run: Cli) -> None:
    module = run.proposed / "agent.nix"
    number = str(run.submit(GREETING % "committed")["id"])
    module.write_text(GREETING % "edited")
    again = run("submit", run.agent, run.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "The same files"))
    assert (again.status, "Not committed" in again.err) == (0, False)  # another commit than the newest was asked for
    run("withdraw", number)
    submitted = run("submit", run.agent)
    assert submitted.status == 0
    assert "Not committed on main, so not part of it: agent.nix\n" in submitted.err
    deployed = run("agents", "--json").json["agents"][0]["deployed_commit"]
    refused = run("submit", run.agent, deployed)
    assert refused.status == 65
    assert refused.err.startswith(f"Commit {deployed[:12]} of {run.agent} is already deployed\n")
    assert f"but main at {run.git('rev-parse', 'HEAD')[:12]} is checked out." in refused.err
    run.git("checkout", "--quiet", "agent.nix")
    for proposal in run("proposals", "--json").json["proposals"]:
        run("withdraw", str(proposal["id"]))


def submit_with_title(run: Cli, title: bytes) -> str:
    """Submit a commit with these very bytes, which `git commit` would take for ISO-8859-1 and convert."""
    tree, parent = (run.git("rev-parse", name).encode() for name in ("HEAD^{tree}", "HEAD"))
    who = b"hm1nd <hm1nd@x> 1764180000 +0000"
    body = run.folder / "commit"
    body.write_bytes(b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\n%s\n" % (tree, parent, who, who, title))
    commit = run.git("hash-object", "-t", "commit", "-w", str(body))
    return str(run("submit", run.agent, commit, "--json").json["proposal"]["id"])


def test_a_title_with_a_byte_and_one_with_the_letters_of_its_escape_differ(run: Cli) -> None:
    titles = {b"B\xf6r": "B‹\\xf6›r", b"B\\xf6r": "B\\xf6r"}
    numbers = [submit_with_title(run, title) for title in titles]
    listed = run("proposals", "--json").json["proposals"]
    for number, (title, shown) in zip(numbers, titles.items(), strict=True):
        (proposal,) = (one for one in listed if str(one["id"]) == number)
        assert run("show", number, "--json").json["proposal"].items() >= {"title": shown}.items()
        assert proposal["title"] == shown
        exact = proposal.get("title_base64")
        assert title == (title if exact is None else base64.b64decode(exact))
        assert (exact is None) == title.isascii()
        assert f"title:     {shown}\n" in run("show", number).out
        withdrawn = run("withdraw", number, "--json").json["proposal"]
        assert withdrawn.get("title_base64") == exact


def test_json_gives_the_bytes_of_every_text_back() -> None:
    given = {"files": [{"path": "\udcf6.nix"}, {"path": "\\xf6.nix"}], "note": None, "text": "emoji 😀"}
    byte, letters = add_exact_bytes(given)["files"]
    assert byte["path"] == "‹\\xf6›.nix"
    assert base64.b64decode(byte["path_base64"]) == b"\xf6.nix"
    assert letters == given["files"][1]  # type: ignore[index]
    assert add_exact_bytes(given)["text"] == given["text"]


def test_what_a_program_says_although_it_succeeds_is_printed(
    run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = run.submit("{ ... }: { warned = 1; }\n")["id"]
    git = tmp_path / "git"
    git.write_text('#!/bin/sh\nprintf "warning: \\033[2Jhalf is missing\\n" >&2\nexec git "$@"\n')
    git.chmod(0o755)
    monkeypatch.setenv("HYPERHIVE_GIT", str(git))
    shown = run("show", str(number))
    assert (shown.status, shown.out.count("!! git: warning: ‹U+001B›[2Jhalf is missing")) == (0, 1)
    denied = run("deny", str(number), "--note", "no")
    assert (denied.status, denied.err) == (0, "git: warning: ‹U+001B›[2Jhalf is missing\n")
