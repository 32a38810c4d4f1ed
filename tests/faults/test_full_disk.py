"""Every verb that writes, on a disk that is full to various degrees or read-only, and without the rights to write.

Each ends with one error and the matching exit status, or has done all of its work. Nothing is half-written: once the
disk has space again the hive is consistent, and the same request succeeds.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hivetui.embedded import end_agents
from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.operations import store
from tests import invariants
from tests.faults import small_disk
from tests.faults.small_disk import Level, SmallDisk, SmallHive, Snapshot, VerbResult
from tests.free_names import free_name

pytestmark = [pytest.mark.faults, pytest.mark.root]
CANNOT_CREATE, FAILED, NOT_ALLOWED = 73, 1, 77
READS = (
    ("agents", "--json"),
    ("proposals", "--all", "--json"),
    ("show", "2", "--diff", "--json"),
    ("history", "--json"),
    ("operations", "--all", "--json"),
    ("operation", "1", "--json"),
    ("warnings", "--json"),
)


@dataclass(frozen=True)
class Verb:
    """A verb: its words, whether all of its work is done, and whether it can be requested only once.

    `of_running` needs a running agent.
    """

    words: Callable[[SmallHive], tuple[str, ...]]
    done: Callable[[SmallHive], bool]
    once: bool = False
    of_running: bool = False


def approval(hive: SmallHive) -> tuple[str, ...]:
    """Approve the commit of proposal 2; if that proposal has failed, submit the commit again."""
    commit = hive.applied.tags()["proposal/2"].commit
    number = hive.pending_proposal(commit)
    if number is None:
        number = hive.run_successfully("submit", hive.name, commit, "--json").json["proposal"]["id"]
        assert number > 4
    return "approve", str(number), "--commit", commit, "--base", hive.applied.main() or ""


def runs(tag: str) -> Callable[[SmallHive], bool]:
    return lambda hive: hive.applied.main() == hive.applied.tags()[tag].commit


def up(hive: SmallHive) -> bool:
    return hive.is_up(hive.name)


VERBS = {
    "spawn": Verb(lambda hive: ("spawn", hive.other), lambda hive: hive.is_up(hive.other)),
    "submit": Verb(
        lambda hive: ("submit", hive.name),
        lambda hive: any("Level 5" in (tag.message or "") for tag in hive.applied.tags().values()),
    ),
    "approve": Verb(approval, runs("proposal/2"), once=True, of_running=True),
    "deny": Verb(lambda hive: ("deny", "3", "--note", "no"), lambda hive: hive.state(3) is ProposalState.DENIED),
    "withdraw": Verb(lambda hive: ("withdraw", "4"), lambda hive: hive.state(4) is ProposalState.WITHDRAWN),
    "rollback": Verb(
        lambda hive: ("rollback", hive.name, "--to", "0", "--note", "better"), runs("deployed/0"), once=True
    ),
    "rebuild": Verb(lambda hive: ("rebuild", hive.name), up, of_running=True),
    "start": Verb(lambda hive: ("start", hive.name), up),
    "restart": Verb(lambda hive: ("restart", hive.name), up, of_running=True),
    "stop": Verb(lambda hive: ("stop", hive.name), lambda hive: not up(hive), of_running=True),
    "destroy": Verb(
        lambda hive: ("destroy", hive.name),
        lambda hive: not hive.host.paths.conf(hive.name).exists(),
        once=True,
        of_running=True,
    ),
    "purge": Verb(
        lambda hive: ("destroy", hive.name, "--purge", "--confirm", hive.name),
        lambda hive: not hive.host.paths.applied_of(hive.name).exists(),
        once=True,
    ),
}
LEVELS = {  # by what was seen to fail at which: the counter, the spare room, then what the verb itself writes
    "spawn": (0, 20, 40, 48, 52, 60),
    "submit": (0, 3, 4, 6),
    "approve": (0, 17, 20, 30, 36),
    "deny": (0, 1),
    "withdraw": (0, 1),
    "rollback": (0, 18, 24),
    "rebuild": (3, 17, 26),
    "start": (0, 17, 22),
    "restart": (17, 22),
    "stop": (0, 17),
    "destroy": (3, 22, 23, 24),
    "purge": (0, 17, 24),
}
FILES = {"spawn": 40, "submit": 12, "approve": 8, "rollback": 12, "rebuild": 8, "purge": 16}
CASES = [
    *((verb, Level(blocks)) for verb, levels in LEVELS.items() for blocks in levels),
    *((verb, Level(0, files)) for verb, files in FILES.items()),
]


@pytest.fixture(scope="module")
def apart() -> Iterator[None]:
    unshare = ("unshare", "--mount", "--net", "true")
    if os.geteuid() != 0 or subprocess.run(unshare, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs root and namespaces")
    with small_disk.own_namespaces():
        yield


@pytest.fixture(scope="module")
def template(apart: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallHive, Path]:
    disk = SmallDisk(tmp_path_factory.mktemp("small") / "disk")
    packed = disk.path.with_name("hive.tar")
    with disk.mounted():
        hive = small_disk.create_hive(disk, free_name(), free_name())
        subprocess.run(("tar", "-C", disk.path, "-cf", packed, "."), check=True)
    return hive, packed


@pytest.fixture
def hive(template: tuple[SmallHive, Path]) -> Iterator[SmallHive]:
    made, packed = template
    with made.disk.mounted():
        subprocess.run(("tar", "-C", made.disk.path, "-xf", packed), check=True)
        store._ended.clear()  # it is another hive at the same place
        try:
            yield made
        finally:
            end_agents(made.folder)


ADVICE = "Free some space on that file system and try again."


def _is_way_on(line: str) -> bool:
    """Whether this is the command that does a failed operation again."""
    return line.startswith("Try again: hivetui ")


def check_error(hive: SmallHive, result: VerbResult, before: Snapshot, after: Snapshot) -> None:
    """A refusal is one error and has changed nothing; an operation that ran has failed with the same error."""
    lines = result.err.splitlines()
    assert len(lines) >= 3, result
    assert [line for line in lines if not _is_way_on(line)][-1] == ADVICE, result
    if result.status == CANNOT_CREATE:
        assert len(lines) == 3, result
        assert after == before
        return
    assert result.status == FAILED, result
    lines = [line for line in lines if not _is_way_on(line)]
    (begun,) = after.operations - before.operations
    operation = store.read(hive.host.paths, begun)
    assert operation.state is OperationState.FAILED
    assert (operation.error or "").splitlines() == lines


@pytest.mark.parametrize(("name", "level"), CASES, ids=[f"{name}-{level}" for name, level in CASES])
def test_a_verb_on_a_full_disk_fails_with_one_error_and_succeeds_once_there_is_space(
    hive: SmallHive, name: str, level: Level
) -> None:
    verb = VERBS[name]
    if verb.of_running:
        hive.run_successfully("start", hive.name)
    words, before = verb.words(hive), hive.snapshot()
    hive.disk.fill(level)
    result, after = hive.run(*words), hive.snapshot()
    assert (
        hive.run_successfully("agents", "--json").json["agents"] or verb.once
    )  # opening it repairs what it can without disk space
    hive.disk.free()
    if result.status:
        check_error(hive, result, before, after)
    hive.repair_and_check()
    if result.status and not (verb.once and verb.done(hive)):
        hive.run_successfully(*verb.words(hive))
    assert verb.done(hive)
    hive.check()


@contextmanager
def unwritable(hive: SmallHive, how: str) -> Iterator[bool]:
    """Prevent all writes for the block; yields whether that is for lack of rights."""
    if how == "full":
        hive.disk.fill(Level(0))
        yield False
        hive.disk.free()
        return
    with hive.disk.read_only() if how == "read-only" else hive.disk.owned_by_nobody():
        yield how == "another's"


@pytest.mark.parametrize("how", ["full", "read-only", "another's"])
def test_verbs_that_only_read_work_where_nothing_can_be_written(hive: SmallHive, how: str) -> None:
    hive.run_successfully("start", hive.name)
    with unwritable(hive, how) as without_rights:
        for words in (*READS, ("logs", hive.name, "-n", "5", "--json")):
            result = hive.run(*words, without_rights=without_rights)
            assert (result.status, result.err) == (0, ""), result
            assert result.json["schema"] == "hivetui/1"
    hive.repair_and_check()


@pytest.mark.parametrize(("how", "status"), [("read-only", CANNOT_CREATE), ("another's", NOT_ALLOWED)])
def test_every_verb_that_writes_is_refused_with_one_error(hive: SmallHive, how: str, status: int) -> None:
    hive.run_successfully("start", hive.name)
    before = hive.snapshot()
    with unwritable(hive, how) as without_rights:
        for verb in VERBS.values():
            result = hive.run(*verb.words(hive), without_rights=without_rights)
            assert (result.status, len(result.err.splitlines())) == (status, 3), result
        assert hive.snapshot() == before
    hive.repair_and_check()


@pytest.mark.parametrize("blocks", [0, 2, 8])
def test_a_new_hive_is_created_completely_or_refused_with_one_error(hive: SmallHive, blocks: int) -> None:
    new = replace(hive, name=hive.other, place="new")
    hive.disk.fill(Level(blocks))
    result = new.run("spawn", new.name)
    assert (result.status, len(result.err.splitlines())) == (CANNOT_CREATE, 3), result
    assert result.err.endswith("Free some space on that file system and try again.\n"), result
    assert not list(new.folder.glob("var/lib/embedded/*"))
    hive.disk.free()
    try:
        new.run_successfully("spawn", new.name)
        asyncio.run(invariants.check(new.host, new.name))
    finally:
        end_agents(new.folder)
