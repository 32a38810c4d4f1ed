"""The queue on the command line: what conflicts with what, and what becomes stale."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli

MODULE = "{ ... }:\n{\n  # one\n  # two\n  # three\n  # four\n  # five\n}\n"


@pytest.mark.slow
def test_proposals_say_what_conflicts_and_what_becomes_stale(run: Cli) -> None:
    start = run.commit(MODULE)
    first = run.submit(MODULE.replace("one", "1"))
    run.git("reset", "--quiet", "--hard", start)
    against = run.submit(MODULE.replace("one", "a"))
    run.git("reset", "--quiet", "--hard", start)
    apart = run.submit(MODULE.replace("five", "5"))
    rows = {row["id"]: row for row in run("proposals", "--json").json["proposals"]}
    assert rows[first["id"]]["conflicts"] == [against["id"]]
    assert rows[first["id"]]["stales"] == [against["id"], apart["id"]]
    assert rows[apart["id"]]["conflicts"] == []
    assert {row["group"] for row in rows.values()} == {None}
    lines = run("proposals").out
    assert f"(conflicts with {against['id']})  (makes {apart['id']} stale)" in lines
    assert run("show", str(first["id"]), "--json").json["proposal"]["conflicts"] == [against["id"]]
    assert f"queue:     conflicts with {against['id']}" in run("show", str(first["id"])).out
    for row in rows:
        run("withdraw", str(row))
