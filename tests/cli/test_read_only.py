"""`--read-only`: what decides, starts or changes something is refused, and reading repairs nothing either."""

from __future__ import annotations

from typing import Any

from hivetui.cli.dispatch import VERBS
from hivetui.wire.verbs import VERBS as VERBS_OF_WIRE
from hivetui.wire.verbs import Role
from tests.cli.conftest import Cli

ACTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("start", "submit", "rebuild", "stop", "restart", "destroy"), ("AGENT",)),
    **dict.fromkeys(("retry", "preview", "withdraw", "approve"), ("7",)),
    "cancel": ("1",),
    "spawn": ("other",),
    "request-spawn": ("other",),
    "deny": ("7", "--note", "No"),
    "rollback": ("AGENT", "--to", "0", "--note", "Back"),
    "repair": (),
    "update-base": (),
}
"""Each verb that does something, with words with which it would."""


def state(run: Cli) -> list[Any]:
    return [run("--json", *words).json for words in (("proposals", "--all"), ("operations", "--all"))]


def test_every_verb_either_only_reads_or_is_tried_here() -> None:
    assert {name for name in VERBS if VERBS_OF_WIRE[name].role is Role.DECIDE} == set(ACTS)


def test_no_verb_that_acts_is_carried_out(run: Cli) -> None:
    number = str(run.submit("{ ... }: { }")["id"])
    before = state(run)
    for verb, words in ACTS.items():
        given = [{"AGENT": run.agent, "7": number}.get(word, word) for word in words]
        assert run("--read-only", verb, *given, "--json").error["code"] == 77, verb
    assert run("--read-only", "destroy", run.agent, "--purge", "--confirm", run.agent, "--json").error["code"] == 77
    assert [row["id"] for row in state(run)[0]["proposals"]] == [row["id"] for row in before[0]["proposals"]]
    assert state(run)[1] == before[1]
    assert run("withdraw", number).status == 0


def test_reading_repairs_nothing(run: Cli) -> None:
    left = run.folder / "var/lib/hyperhive/meta/.git/index.lock"
    left.touch()
    assert run("--read-only", "agents").status == 0
    assert left.exists()
    assert run("agents").status == 0
    assert not left.exists()
