"""One moment of a hive in which everything that a screen can show is there once, as frozen values.

Nothing in it depends on when, where or by what it is looked at: `NOW` is the clock of every picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent, AgentDetail, AgentState, Mount, SpawnAdvice
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.operations import Entry, EntryKind, Operation, OperationKind, OperationState
from hivetui.engine.model.progress import BuildProgress, RunningBuild
from hivetui.engine.model.proposals import Deployment, FileChange, FileStatus, Proposal, ProposalKind, ProposalState
from hivetui.engine.model.review import Commit, DeployedCommit, Review
from hivetui.engine.model.warnings import HiveWarning, WarningCode

NOW = datetime(2026, 5, 4, 14, 30, tzinfo=UTC)
MEBIBYTE = 1 << 20
BASE = "fd51a5469eae32ba0961efb0fdeb1c1ecdd38474"
COMMIT = "56e756253f20489b4f07467cdd456f08cd7d823c"
DESCRIPTION = HiveDescription(title="hive.example", root="/", embedded=False, version="0")


def before(**parts: float) -> datetime:
    """So long ago, in the words of `timedelta`."""
    return NOW - timedelta(**parts)


# -- agents and what is wrong with them --------------------------------------------------------------------------------

COLLISION = HiveWarning(
    code=WarningCode.PORT_COLLISION,
    agents=("olivia", "qa"),
    text="olivia and qa have the same port 8991, so only one of them can run",
    fix="Spawn one under another name, such as qa2, and destroy qa",
    port=8991,
)
DRIFT = HiveWarning(
    code=WarningCode.DRIFT,
    agents=("bob",),
    text="bob differs from what the engine would configure: h-bob.conf, its limits",
    fix="hivetui rebuild bob",
)
HALF_MADE = HiveWarning(
    code=WarningCode.HALF_MADE,
    agents=("nora",),
    text="The container of nora was created but has no system",
    fix="hivetui destroy nora, then hivetui spawn nora",
)
STALE_LOCK = HiveWarning(
    code=WarningCode.STALE_LOCK, agents=(), text="A git that died left its lock in the meta repo", fix="hivetui repair"
)
WARNINGS = (COLLISION, DRIFT, HALF_MADE, STALE_LOCK)


def _agent(name: str, state: AgentState, megabytes: float = 0, percent: float = 0, **more: object) -> Agent:
    runs = {"memory_bytes": int(megabytes * MEBIBYTE), "cpu_percent": percent, "tasks": 14} if megabytes else {}
    fields = {"name": name, "container": names.container_of(name), "manager": name == names.MANAGER}
    about = tuple(one for one in WARNINGS if name in one.agents)
    return Agent.model_validate(fields | {"port": names.port_of(name), "state": state, "warnings": about} | runs | more)


AGENTS = (
    _agent(
        "hm1nd", AgentState.RUNNING, 412, 3.4, deployed=0, deployed_commit="a1" * 20, since=before(days=12, hours=3)
    ),
    _agent(
        "alice",
        AgentState.RUNNING,
        1231,
        87.5,
        deployed=9,
        deployed_commit="b2" * 20,
        operation=31,
        since=before(hours=4),
    ),
    _agent("bob", AgentState.FAILED, deployed=8, deployed_commit="c3" * 20, needs_update=True),
    _agent(
        "iris",
        AgentState.RUNNING,
        96,
        0.2,
        deployed=6,
        deployed_commit=BASE,
        pending=(12,),
        since=before(days=2, hours=1),
    ),
    _agent("nora", AgentState.STOPPED),
    _agent(
        "olivia",
        AgentState.RUNNING,
        233,
        12,
        deployed=4,
        deployed_commit="d4" * 20,
        pending=(13,),
        since=before(minutes=9),
    ),
    _agent("qa", AgentState.STOPPED, deployed=0, deployed_commit="e5" * 20),
    _agent("zoe", AgentState.KEPT),
)


def detail_of(agent: Agent) -> AgentDetail:
    """The detail of any agent; those that nothing was deployed to have empty parts."""
    library = "/var/lib/hyperhive"
    here = f"{library}/agents/{agent.name}"
    there = agent.state is not AgentState.KEPT
    return AgentDetail(
        agent=agent,
        paths={"proposed": f"{here}/config", "applied": f"{library}/applied/{agent.name}", "state": f"{here}/state"},
        mounts=(
            Mount(inside="/root/.claude", source=f"{here}/claude", read_only=False),
            Mount(inside="/run/hive", source=f"/run/hyperhive/agents/{agent.name}", read_only=True),
        )
        if there
        else (),
        memory_max="2G",
        cpu_quota="50%",
        deployments=tuple(one for one in HISTORY if one.agent == agent.name),
    )


# -- history -----------------------------------------------------------------------------------------------------------


def _deployment(number: int, agent: str, commit: str, when: datetime, **more: object) -> Deployment:
    usual = {"kind": ProposalKind.DEPLOY, "operator": "walt", "note": "", "running": False}
    return Deployment.model_validate(
        {"id": number, "agent": agent, "commit": commit, "deployed_at": when} | usual | more
    )


HISTORY = (
    _deployment(9, "alice", "b2" * 20, before(hours=4, minutes=2), running=True),
    _deployment(8, "bob", "c3" * 20, before(hours=20), running=True, note="on trial until Friday"),
    _deployment(6, "iris", BASE, before(days=2, hours=1), running=True),
    _deployment(5, "iris", "f6" * 20, before(days=3), kind=ProposalKind.ROLLBACK, note="worked better: #2 again"),
    _deployment(4, "olivia", "d4" * 20, before(days=5), running=True),
    _deployment(3, "iris", "f7" * 20, before(days=6), operator="ada over SSH"),
    _deployment(2, "iris", "f6" * 20, before(days=8)),
    _deployment(0, "hm1nd", "a1" * 20, before(days=30), running=True),
)


# -- proposals and a review --------------------------------------------------------------------------------------------


def _proposal(number: int, agent: str, title: str, when: datetime, **more: object) -> Proposal:
    usual = {
        "kind": ProposalKind.DEPLOY,
        "state": ProposalState.PENDING,
        "commit": f"{number:02}" * 20,
        "base": "b2" * 20,
        "stale": False,
        "description": "",
        "submitted_by": "hm1nd",
    }
    return Proposal.model_validate(usual | {"id": number, "agent": agent, "title": title, "submitted_at": when} | more)


SEARCH = _proposal(
    12,
    "iris",
    "Read more at once, and look things up",
    before(minutes=14),
    commit=COMMIT,
    base=BASE,
    description="It reads the same issue twice a day.\nWith an index it would not.\n\nThe firewall is for the index.",
)
MOVED = _proposal(13, "olivia", "Answer in the language of the question", before(hours=1, minutes=3), stale=True)
WISH = _proposal(
    14,
    "gwen",
    "An agent that only reviews",
    before(hours=3),
    kind=ProposalKind.SPAWN,
    commit=None,
    base=None,
    description="alice writes and reviews; that is one too many.",
)
WAITING = (SEARCH, MOVED, WISH)
FAILED = _proposal(
    10,
    "bob",
    "Newer compiler",
    before(hours=22),
    state=ProposalState.FAILED,
    decided_by="walt",
    decided_at=before(hours=21),
    error="It could not be built.\nerror: attribute 'gcc99' missing\n  at agent.nix:7:5",
)
DECIDED = (
    _proposal(11, "alice", "A bigger batch", before(minutes=20), state=ProposalState.BUILDING, decided_by="walt"),
    FAILED,
    _proposal(
        9, "alice", "Say where it looked", before(hours=5), state=ProposalState.DEPLOYED, decided_by="walt",
        decided_at=before(hours=4),
    ),
    _proposal(
        7, "iris", "sudo without a password", before(days=1), state=ProposalState.DENIED, decided_by="ada over SSH",
        decided_at=before(hours=23), note="no agent needs that",
    ),
    _proposal(5, "iris", "Typo", before(days=3), state=ProposalState.WITHDRAWN, decided_by="hm1nd"),
)  # fmt: skip

_NONE = "0" * 40


def file_change(
    path: str, status: FileStatus, lines: tuple[int, int] | None, blobs: tuple[str, str], **more: object
) -> FileChange:
    added = {"old_mode": "000000", "old_blob": _NONE} if status is FileStatus.ADDED else {}
    gone = {"new_mode": "000000", "new_blob": _NONE} if status is FileStatus.DELETED else {}
    usual = {"old_path": None, "old_mode": "100644", "new_mode": "100644", "old_blob": blobs[0], "new_blob": blobs[1]}
    counts = {"additions": lines[0] if lines else None, "deletions": lines[1] if lines else None}
    return FileChange.model_validate({"path": path, "status": status} | usual | counts | added | gone | more)


FILES = (
    file_change(
        "agent.nix",
        FileStatus.MODIFIED,
        (7, 3),
        ("ac4692d22b9ef52fd421270daf3ddda7624d7ea1", "e7628177cd3746008e4fb6133a37e1d2d3ed411a"),
    ),
    file_change("bin/face.png", FileStatus.ADDED, None, ("", "f7bd5c5355cb59edc683073794b90664f6eb9d96"), new_size=29),
    file_change(
        "bin/today",
        FileStatus.MODIFIED,
        (0, 0),
        ("70e313b1941ae2c7f55375accb8ee2c4786ffa0a", "70e313b1941ae2c7f55375accb8ee2c4786ffa0a"),
        new_mode="100755",
    ),
    file_change("notes.md", FileStatus.DELETED, (0, 3), ("0cdff4ab7bdf37585c987413be95c9575ac687fb", "")),
    file_change(
        "prompts/iris.md",
        FileStatus.RENAMED,
        (1, 1),
        ("9afcfcd03227b4f3850a8321dd1530b8ff75558a", "91f6684f3216f162bec92a1f48acf8cdb26ba9db"),
        old_path="prompts/reader.md",
    ),
    file_change("search.nix", FileStatus.ADDED, (13, 0), ("", "ab042a26a9e35be3992bd2d5697621df8a5f1d8e")),
)
_MESSAGE = "Read more at once, and look things up\n\nFifty at once is what the forge allows."


def review_of(proposal: Proposal) -> Review:
    """The review of any proposal; only #12 has a difference."""
    if proposal.commit is None:
        return Review(
            proposal=proposal, author="hm1nd", authored_at=proposal.submitted_at, message="", commits=(), reverts=(),
            files=(),
        )  # fmt: skip
    return Review(
        proposal=proposal,
        author="hm1nd <hm1nd@hive>",
        authored_at=before(minutes=40),
        message=_MESSAGE,
        commits=(
            Commit(id=COMMIT, author="hm1nd <hm1nd@hive>", authored_at=before(minutes=40), message=_MESSAGE),
            Commit(id="77" * 20, author="iris <iris@hive>", authored_at=before(hours=2), message="An index\n"),
        ),
        reverts=(DeployedCommit(id=5, commit="f6" * 20, title="Wait less"),),
        files=FILES if proposal.commit == COMMIT else FILES[:1],
        commit_count=2,
    )


def difference(said: tuple[str, ...] = ()) -> bytes:
    """The difference of #12 as git wrote it; its new file says something else if that is given."""
    whole = Path(__file__).with_name("difference.patch").read_bytes()
    if not said:
        return whole
    lines = [line for text in said for line in text.split("\n")]
    head, name, _ = whole.rpartition(b"+++ b/search.nix\n")
    hunk = f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)
    return head + name + hunk.encode()


# -- operations --------------------------------------------------------------------------------------------------------


def _operation(
    number: int, kind: OperationKind, agent: str, state: OperationState, began: datetime, **more: object
) -> Operation:
    usual = {"proposal": None, "step": None, "ended_at": None, "operator": "walt", "error": None}
    return Operation.model_validate(
        usual | {"id": number, "kind": kind, "agent": agent, "state": state, "started_at": began} | more
    )


RUNNING = _operation(
    31, OperationKind.DEPLOY, "alice", OperationState.RUNNING, before(seconds=47), proposal=11, step="build",
    progress=BuildProgress(
        started_at=before(seconds=43), built=1, building=1, waiting=1, fetched=1, to_fetch=2,
        fetching=("sqlite-3.48.0",),
        builds=(RunningBuild(name="reader-2.1", phase="checkPhase", since=before(seconds=21)),),
        downloaded=1_640_000, to_download=2_950_000, last_seconds=96,
    ),
)  # fmt: skip
BUILD_FAILED = _operation(
    30,
    OperationKind.DEPLOY,
    "bob",
    OperationState.FAILED,
    before(hours=21),
    proposal=10,
    step="build",
    ended_at=before(hours=21) + timedelta(seconds=13),
    error="The system of bob could not be built\nerror: builder for 'reader-2.1.drv' failed with exit code 2\n"
    "Read the output, mend the proposed repo, and submit it again",
    progress=BuildProgress(
        started_at=before(hours=21), ended_at=before(hours=21) + timedelta(seconds=12), built=1, failed=1,
        errors=("builder for 'reader-2.1.drv' failed with exit code 2",),
    ),
)  # fmt: skip
SUCCEEDED = _operation(
    29,
    OperationKind.RESTART,
    "olivia",
    OperationState.SUCCEEDED,
    before(minutes=9, seconds=12),
    step="start",
    ended_at=before(minutes=9),
)
ENDED = (
    BUILD_FAILED,
    SUCCEEDED,
    _operation(
        28, OperationKind.REBUILD, "iris", OperationState.CANCELLED, before(days=1), step="build",
        ended_at=before(days=1) + timedelta(minutes=3), operator="ada over SSH",
    ),
    _operation(
        27, OperationKind.SPAWN, "nora", OperationState.INTERRUPTED, before(days=1, hours=2), step="create",
        ended_at=before(days=1, hours=2) + timedelta(seconds=30), error="The process that did it is gone",
    ),
)  # fmt: skip


class _Record:
    """Entries a second apart from a beginning on."""

    def __init__(self, began: datetime) -> None:
        self._began, self._numbers = began, count()

    def _entry(self, kind: EntryKind, **fields: object) -> Entry:
        number = next(self._numbers)
        time = self._began + timedelta(seconds=number)
        return Entry.model_validate({"number": number + 1, "time": time, "kind": kind} | fields)

    def state(self, state: OperationState, text: str = "") -> Entry:
        return self._entry(EntryKind.STATE, state=state, text=text)

    def step(self, name: str) -> Entry:
        return self._entry(EntryKind.STEP, text=name)

    def command(self, *argv: str) -> Entry:
        return self._entry(EntryKind.COMMAND, argv=argv)

    def lines(self, stream: str, *texts: str) -> Iterator[Entry]:
        return (self._entry(EntryKind.LINE, stream=stream, text=text) for text in texts)


_BUILD_TALK = (
    "this derivation will be built:",
    "  /nix/store/2c1f…-nixos-system-h.drv",
    "copying path '/nix/store/9s8d…-ripgrep-14.1.1' from the cache …",
    "building '/nix/store/7kq2…-reader-2.1.drv' …",
    "reader> unpacking sources",
    "reader> patching sources",
    "reader> building",
    "reader> warning: 3 tests are skipped",
)


def _to_the_build(record: _Record, agent: str) -> Iterator[Entry]:
    yield record.state(OperationState.RUNNING)
    yield record.step("claim")
    yield from record.lines("engine", f"approved by walt, for {agent}")
    yield record.step("record")
    yield record.step("build")
    yield record.command("nix", "build", "--no-link", "--print-out-paths", f"…#nixosConfigurations.{agent}")
    yield from record.lines("stderr", *_BUILD_TALK)


def record_of(operation: Operation) -> tuple[Entry, ...]:
    """The record of any operation."""
    record = _Record(operation.started_at)
    if operation is RUNNING:
        return (*_to_the_build(record, "alice"), *record.lines("stderr", "reader> running tests: 118 of 240"))
    if operation is BUILD_FAILED:
        told = _to_the_build(record, "bob")
        end = (
            "reader> ReadError: no such column: seen_at",
            "error: builder for 'reader-2.1.drv' failed with exit code 2",
        )
        return (*told, *record.lines("stderr", *end), record.state(OperationState.FAILED, operation.error or ""))
    return (
        record.state(OperationState.RUNNING),
        record.step("stop"),
        *record.lines("stdout", f"Stopping container@{names.container_of(operation.agent)}.service"),
        record.step("start"),
        *record.lines("engine", "it is up, and stayed up for 5 s"),
        record.state(operation.state),
    )


# -- logs --------------------------------------------------------------------------------------------------------------

_TALK = (
    "GET /health 200 in 2 ms",
    "read 20 issues, 3 are new",
    "\x1b[33mWARN\x1b[0m the forge answers slowly (2.4 s)",
    "answered issue 118: it is a duplicate of 97",
    "\x1b[31mERROR\x1b[0m fetch failed: connection reset by peer",
    "retry in 5 s",
    "read 20 issues, none is new",
    "memory 96M of 2G; " + "queue=0 " * 24,
    "日本語の質問に答えた",
)


def log_of(agents: tuple[str, ...], lines: int) -> list[LogLine]:
    """The last lines of these agents, merged."""
    rows = (
        LogLine(before(seconds=7 * number + 3), agents[number % len(agents)], "stdout", _TALK[number % len(_TALK)])
        for number in range(lines)
    )
    return sorted(rows)


# -- spawning ----------------------------------------------------------------------------------------------------------


def advice_on(name: str) -> SpawnAdvice:
    """What a new name would mean here."""
    problem = names.problem_of_new(name)
    port = names.port_of(name) if problem is None else None
    sharing = tuple(one.name for one in AGENTS if one.port == port and one.name != name)
    return SpawnAdvice(
        name=name,
        container=names.container_of(name) if problem is None else None,
        port=port,
        problem=problem,
        shared_with=sharing,
        free_names=(f"{name}2", f"{name}3", f"{name}x") if sharing else (),
    )
