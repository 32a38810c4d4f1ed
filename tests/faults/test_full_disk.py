"""Every verb that writes, on a disk with no room, a few blocks, or some 100 KiB; in a read-only place; without rights.

Each ends with one error in words and the status that fits, or has done all of its work. Nothing is half-written: after
room is made the hive is sound, and the same request succeeds.
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
from tests.conftest import free_name
from tests.faults import small_disk
from tests.faults.small_disk import Level, Picture, Ran, SmallDisk, SmallHive

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
    """A request of a person: its words, whether all of it is done, and whether that can be asked for once only."""

    words: Callable[[SmallHive], tuple[str, ...]]
    done: Callable[[SmallHive], bool]
    once: bool = False
    of_running: bool = False


def approval(hive: SmallHive) -> tuple[str, ...]:
    """Of the commit of proposal 2; when that one has failed, the commit is proposed again."""
    commit = hive.applied.tags()["proposal/2"].commit
    number = hive.waiting_for(commit)
    if number is None:
        number = hive.well("submit", hive.name, commit, "--json").json["proposal"]["id"]
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
    "approve": (0, 17, 20, 30, 36, 40),
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
    with small_disk.apart():
        yield


@pytest.fixture(scope="module")
def template(apart: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallHive, Path]:
    disk = SmallDisk(tmp_path_factory.mktemp("small") / "disk")
    packed = disk.path.with_name("hive.tar")
    with disk.mounted():
        hive = small_disk.make(disk, free_name(), free_name())
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


def check_error(hive: SmallHive, ran: Ran, before: Picture, after: Picture) -> None:
    """One error in words; a refusal has changed nothing, and an operation that ran has failed with these very words."""
    lines = ran.err.splitlines()
    assert len(lines) >= 3, ran
    assert lines[-1] == "Free some space on that file system and try again.", ran
    if ran.status == CANNOT_CREATE:
        assert len(lines) == 3, ran
        assert after == before
        return
    assert ran.status == FAILED, ran
    (begun,) = after.operations - before.operations
    operation = store.read(hive.host.paths, begun)
    assert operation.state is OperationState.FAILED
    assert (operation.error or "").splitlines() == lines


@pytest.mark.parametrize(("name", "level"), CASES, ids=[f"{name}-{level}" for name, level in CASES])
def test_a_verb_without_room_fails_in_words_and_goes_well_when_there_is_some(
    hive: SmallHive, name: str, level: Level
) -> None:
    verb = VERBS[name]
    if verb.of_running:
        hive.well("start", hive.name)
    words, before = verb.words(hive), hive.picture()
    hive.disk.fill(level)
    ran, after = hive.run(*words), hive.picture()
    assert hive.well("agents", "--json").json["agents"] or verb.once  # opening it mends what it can without room
    hive.disk.make_room()
    if ran.status:
        check_error(hive, ran, before, after)
    hive.settle()
    if ran.status and not (verb.once and verb.done(hive)):
        hive.well(*verb.words(hive))
    assert verb.done(hive)
    hive.check()


@contextmanager
def closed(hive: SmallHive, how: str) -> Iterator[bool]:
    """For the block nothing can be written; whether that is for lack of rights."""
    if how == "full":
        hive.disk.fill(Level(0))
        yield False
        hive.disk.make_room()
        return
    with hive.disk.read_only() if how == "read-only" else hive.disk.of_nobody():
        yield how == "another's"


@pytest.mark.parametrize("how", ["full", "read-only", "another's"])
def test_what_only_reads_works_where_nothing_can_be_written(hive: SmallHive, how: str) -> None:
    hive.well("start", hive.name)
    with closed(hive, how) as without_rights:
        for words in (*READS, ("logs", hive.name, "-n", "5", "--json")):
            ran = hive.run(*words, without_rights=without_rights)
            assert (ran.status, ran.err) == (0, ""), ran
            assert ran.json["schema"] == "hivetui/1"
    hive.settle()


@pytest.mark.parametrize(("how", "status"), [("read-only", CANNOT_CREATE), ("another's", NOT_ALLOWED)])
def test_every_verb_that_writes_is_refused_in_words(hive: SmallHive, how: str, status: int) -> None:
    hive.well("start", hive.name)
    before = hive.picture()
    with closed(hive, how) as without_rights:
        for verb in VERBS.values():
            ran = hive.run(*verb.words(hive), without_rights=without_rights)
            assert (ran.status, len(ran.err.splitlines())) == (status, 3), ran
        assert hive.picture() == before
    hive.settle()


@pytest.mark.parametrize("blocks", [0, 2, 8])
def test_a_new_hive_is_made_whole_or_refused_in_words(hive: SmallHive, blocks: int) -> None:
    new = replace(hive, name=hive.other, place="new")
    hive.disk.fill(Level(blocks))
    ran = new.run("spawn", new.name)
    assert (ran.status, len(ran.err.splitlines())) == (CANNOT_CREATE, 3), ran
    assert ran.err.endswith("Free some space on that file system and try again.\n"), ran
    assert not list(new.folder.glob("var/lib/embedded/*"))
    hive.disk.make_room()
    try:
        new.well("spawn", new.name)
        asyncio.run(invariants.check(new.host, new.name))
    finally:
        end_agents(new.folder)
