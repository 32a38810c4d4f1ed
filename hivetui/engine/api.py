"""The Hive protocol: everything that the command line, the console or a client may ask of a hive.

`engine.hive.LocalHive` implements it in this process; a client over a connection implements it too. Callers depend on
this protocol and on `engine.model`, and on nothing else of the engine.

What holds for every method:

- An expected failure is a `HiveError` (`engine/model/errors.py`): what happened, why, what to do, and an exit status.
  Besides the errors named below, any method may raise Unavailable (systemd, git or nix cannot be run), NotAllowed
  (this user lacks the rights) or CannotCreate (full disk, read-only file system). Any other exception is a bug.
- Agent names are checked before a path or a command is made of them: BadData for an invalid one.
- Commits are full lower-case SHA-1 hashes in results. Parameters say where an abbreviated one is accepted.
- Times are aware datetimes in UTC. Sizes are bytes.
- Text that agents wrote (titles, messages, log lines, output, differences) is returned as they wrote it and may
  contain control characters: `engine.model.text.safe` makes it safe to print.
- A method that returns an `AsyncIterator` is a stream: nothing happens before the first `anext`. It stops its work
  and its child processes when the reader closes it (use `contextlib.aclosing`) or is cancelled. A slow reader holds
  the source back; no stream buffers without a bound.
"""

# size: the protocol is one, since whoever asks a hive asks it through one object; its methods have no bodies.

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from hivetui.engine.model.agents import Agent, AgentDetail, BaseUpdate, SpawnAdvice
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.effect import Effect
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.findings import Assessment, RuleInfo
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.notes import GivenNote, LineNote
from hivetui.engine.model.operations import Entry, Operation, OperationKind
from hivetui.engine.model.proposals import Deployment, Proposal
from hivetui.engine.model.queue import QueuePlace
from hivetui.engine.model.records import Seen, Verification
from hivetui.engine.model.review import Review
from hivetui.engine.model.state import Figures, StateUpdate
from hivetui.engine.model.warnings import Check, HiveWarning, Repair


class Hive(Protocol):
    """One hive, asked by one operator, who is recorded with every decision and operation."""

    # About the hive

    @property
    def description(self) -> HiveDescription:
        """Title, root directory and version of this hive, and whether it is an embedded one."""
        ...

    @property
    def role(self) -> str:
        """What may be done through this object: "decide", or "look" for reading only."""
        ...

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was repaired after earlier crashes when the hive was opened; empty if it was opened without repair."""
        ...

    @property
    def repair_error(self) -> HiveError | None:
        """Why the repair at opening ended early, or None. The hive can be read all the same."""
        ...

    async def wait_for_repair(self) -> None:
        """Wait until the repair at opening has ended; `repairs` and `repair_error` are what it did from then on."""
        ...

    async def warnings(self) -> tuple[HiveWarning, ...]:
        """Problems that the hive has now, each with the command that fixes it.

        Drift and incomplete containers are not reported for an agent that an operation is working on.
        """
        ...

    async def repair(self, agent: str | None = None, dry_run: bool = False) -> tuple[Repair, ...]:
        """Repair what earlier crashes left behind, of one agent or of all, and report each repair.

        With `dry_run` nothing is changed and the result says what would be done. What cannot be repaired is reported
        as such and does not stop the rest; agents with a running operation are left out. Empty while another process
        repairs this hive. NotFound for an unknown agent.
        """
        ...

    async def doctor(self) -> tuple[Check, ...]:
        """Check programs and their versions, nix features, directories, base flake and rights. Changes nothing."""
        ...

    # Agents

    async def agents(self) -> tuple[Agent, ...]:
        """Every agent and every other container of the host: failed ones first, then the manager,
        then by name, destroyed ones last.

        `cpu_percent` is the average since the previous call on this object, None on the first.
        """
        ...

    async def agent(self, name: str) -> AgentDetail:
        """One agent with its paths, mounts, limits and 20 newest deployments; NotFound."""
        ...

    async def page_url(self, agent: str) -> str:
        """Where the web page of an agent is seen from here: its port on this machine, or one forwarded to the hive's.

        A forwarded port is closed with this object. Unavailable when the page does not answer over there.
        """
        ...

    async def spawn_advice(self, name: str) -> SpawnAdvice:
        """What spawning `name` would lead to: container, port, collisions. Cheap enough to call on each key press.

        An invalid name is not an error: `problem` says what is wrong with it.
        """
        ...

    async def history(self, agent: str | None = None) -> tuple[Deployment, ...]:
        """Every deployment of one agent or of all, newest first; NotFound for an unknown agent."""
        ...

    async def update_base(self, revision: str | None = None) -> BaseUpdate:
        """Lock the base flake of all agents at its newest revision, or at a full hash or branch, and build nothing.

        Agents that were built with another are outdated then. NotFound before the first agent was spawned, BadData for
        a revision that the base flake cannot have, CommandFailed when it does not have it, Busy as long as meta is.
        """
        ...

    # Proposals

    async def proposals(
        self, decided: bool = False, agent: str | None = None, files: bool = False, findings: bool = False
    ) -> tuple[Proposal, ...]:
        """Pending proposals, oldest first; with `decided`, then all others, newest first.

        With `findings`, the pending ones whose findings are most serious come first, and of these the oldest. Those
        that make the same change stand together, and each has `group`, `stales` and `conflicts`.

        With `files`, each has what is known of its effect, and the paths that it changes, as `review` has them; what
        cannot be compared, for example in a damaged repo, keeps None. With `findings`, each has those too, and keeps
        None where they cannot be computed.
        """
        ...

    async def queue(self) -> tuple[QueuePlace, ...]:
        """How the pending proposals stand to each other, by age: which make the same change, and which conflict.

        What has been compared is remembered, so that only new pairs are.
        """
        ...

    async def findings(self, proposal: int, base: str | None = None) -> Assessment:
        """What the rules find in a proposal against `base` (as in `review`), the most serious first.

        Of a decided proposal, those that it was decided with, where they were recorded. The work is bounded, and what
        was not looked at is a finding. Errors as for `review`.
        """
        ...

    async def effect(self, proposal: int) -> Effect:
        """What a proposal would do, as far as it is known: from its last preview, with what has moved since.

        Of a decided proposal, as it was known when it was decided. NotFound for an unknown one.
        """
        ...

    async def preview(self, proposal: int) -> Operation:
        """Start the operation that evaluates and builds a pending proposal without deploying it.

        `effect` has the result. No agent is held by it. TryAgain for a proposal that is no longer pending, Busy while
        its preview runs, BadData for a spawn, NotAllowed where previews are switched off, NotFound.
        """
        ...

    async def rules(self) -> tuple[RuleInfo, ...]:
        """The rules in force, the most serious first; BadConfiguration for wrong ones."""
        ...

    async def review(self, proposal: int, base: str | None = None) -> Review:
        """What an operator reads before deciding, except for the difference: message, commits, files.

        It compares with `base`, a hash of at least four digits or a tag such as "deployed/3" of the agent's applied
        repo; by default with applied `main`, or for a decided proposal with the base it was decided on. `previous` is
        the denied proposal that it answers. NotFound for an unknown proposal, BadData for an unknown or ambiguous base.
        """
        ...

    async def notes(self, proposal: int) -> tuple[LineNote, ...]:
        """The notes on lines of a pending proposal that this operator has kept for its denial.

        NotFound; OperationFailed if they cannot be read.
        """
        ...

    async def keep_notes(self, proposal: int, notes: tuple[GivenNote, ...]) -> tuple[LineNote, ...]:
        """Keep these notes, in place of the operator's earlier ones, until the proposal is decided.

        A text is read as `deny` reads it. Returns the notes as they are kept. BadData for a file or line that is not
        there and for too many or too long ones, TryAgain when the proposal is no longer pending, NotFound.
        """
        ...

    def difference(
        self, proposal: int, base: str, context: int = 3, ignore_whitespace: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Stream git's unified diff from `base` (as in `review`) to the proposal, with `context` lines around changes.

        Chunks are at most 256 KiB and cut anywhere, also within a line. Ends after the last one; a spawn request has
        none. Errors as for `review`, and CommandFailed when git fails.
        """
        ...

    async def viewed_marks(self, agent: str) -> frozenset[str]:
        """The marks that this operator has set on files of an agent's proposals, on any day and in any console.

        Marks are dropped after 90 days, and the oldest ones above 5000.
        """
        ...

    async def mark_viewed(self, agent: str, mark: str, is_viewed: bool) -> None:
        """Set a mark, the hexadecimal SHA-256 of what was viewed, or remove it; BadData for anything else.

        CannotCreate or NotAllowed when the state of the hive cannot be written.
        """
        ...

    async def submit(self, agent: str, commit: str | None = None, description: str = "") -> Proposal:
        """Pin a commit of the agent's proposed repo (its `main` when None) as a new pending proposal.

        NotFound for an agent without an applied repo. BadData for a commit that does not exist, is too large or is
        pending already. TryAgain when the agent has as many pending proposals as the settings allow.
        """
        ...

    async def repropose(self, proposal: int) -> Proposal:
        """Make a new pending proposal of the same kind at the very commit of one that has ended; `retry_of` links them.

        It is the way on from a deploy that failed, was cancelled, interrupted or rolled back. BadData when the
        proposal has not ended, when the agent runs its commit already, and when the same commit is pending; TryAgain
        when the agent has as many pending proposals as the settings allow; NotFound for an unknown proposal.
        """
        ...

    async def request_spawn(self, agent: str, description: str = "") -> Proposal:
        """Propose to spawn a new agent.

        NotFound before the first agent of the hive was spawned, BadData for an agent that has a container or whose
        spawn is pending already.
        """
        ...

    async def approve(
        self,
        proposal: int,
        commit: str | None,
        base: str | None,
        note: str = "",
        acknowledged: tuple[str, ...] = (),
        effect: str | None = None,
        seen: Seen | None = None,
        restart: bool = False,
    ) -> Operation:
        """Claim a pending proposal and start the operation that deploys it, or spawns the agent it asks for.

        `commit` and `base` are what the operator read: the proposed commit and the applied `main` it was compared
        with, at least seven digits of each; both None for a spawn request. Stale when either has changed since.
        `acknowledged` are the ids of findings: NotAllowed when a critical one is not among them or one is forbidden,
        Stale for one that the proposal does not have. A spawn and a rollback are exempt from findings.
        `effect` is the derivation that was shown: it is evaluated again before the claim, Stale if it is another one
        now, and it is what is deployed. NotAllowed where the settings require one and none that is known is given.
        `seen` is what was on the operator's screen, None where that is not known; it is recorded as it is given. With
        `restart` the agent is restarted even if it has that system already; BadData for a spawn request.
        TryAgain, saying who was first, for a proposal that is no longer pending. Busy while another operation holds
        the agent, or when its port is taken. After any of these the proposal is as it was.
        """
        ...

    async def deny(self, proposal: int, note: str, lines: tuple[GivenNote, ...] = ()) -> Proposal:
        """Deny a pending proposal; BadData for a blank note, TryAgain for one that is no longer pending.

        `lines` are notes on lines, to which those are added that the operator has kept for it. A text is read as
        `FILE:[SIDE:]FROM[-TO]:TEXT`; of several readings the longest FILE that exists counts. BadData as for
        `keep_notes`, OperationFailed if the kept ones cannot be read.
        """
        ...

    async def withdraw(self, proposal: int) -> Proposal:
        """Close a pending proposal without a decision; TryAgain for one that is no longer pending."""
        ...

    async def rollback(self, agent: str, to: int, note: str) -> Operation:
        """Start a deploy, under a new proposal id, of the commit that was deployed as proposal `to`.

        NotFound when `to` was never deployed to this agent or it has no container; BadData for a blank note, or when
        that commit runs now. Busy as for `approve`.
        """
        ...

    # Operations

    async def begin(self, kind: OperationKind, agent: str, wait: bool = False) -> Operation:
        """Start a spawn, start, stop, restart, rebuild, destroy or purge, and return it in state queued.

        It runs in a process of its own and outlives this hive object. What can be checked cheaply is refused first:
        NotFound for an agent that does not exist (or has no container, where the kind needs one), BadData for a spawn
        over an existing container, Busy for a port that is taken. While another operation holds the agent: Busy, or
        with `wait` it waits for the end of that one. WrongUsage for any other kind: those follow from a decision.
        """
        ...

    async def operations(self, ended: bool = False) -> tuple[Operation, ...]:
        """Running operations, newest first; with `ended`, also those that ended (old records are removed)."""
        ...

    async def operation(self, operation: int) -> Operation:
        """The current state of one operation; NotFound."""
        ...

    def follow(self, operation: int, after: int = 0, wait: bool = True) -> AsyncIterator[tuple[Entry, ...]]:
        """Stream the entries of an operation's record whose number is above `after`, in batches, from the first.

        Ends after the entry with the final state, or when the worker died without writing one; without `wait`, after
        the last one that is there now. NotFound.
        """
        ...

    async def cancel(self, operation: int) -> None:
        """Ask a running operation to end itself and its child processes, and return at once; Stale if it has ended.

        The operation rolls back as if its current step had failed; `follow` shows when that is done.
        """
        ...

    # Records

    async def verify(self, agent: str | None = None, signers: str | None = None) -> Verification:
        """Compare the history of one agent, or of all, with the signed records of its decisions.

        `signers` is the text of a list of allowed signers (ssh-keygen(1)), None for that of the host. NotFound for an
        unknown agent, Unavailable without ssh-keygen.
        """
        ...

    # Logs and state

    def logs(self, query: LogQuery) -> AsyncIterator[list[LogLine]]:
        """Stream the log lines of some agents, merged by time, in batches of at most 5000 lines.

        Without `query.follow` it ends after the existing lines. With it, the existing lines come first, in order, and
        new ones follow as they are written, until the reader closes the stream. NotFound for an unknown agent, BadData
        for an invalid regular expression.
        """
        ...

    def watch(self, after: int | None = None, instance: str | None = None) -> AsyncIterator[StateUpdate]:
        """Stream a snapshot of the state and then each change, whichever process causes it; it never ends by itself.

        With the number and the instance of the last update that a reader has, it gets only what came after that, or a
        new snapshot where that is not known any more. A slow reader gets a new snapshot instead of very old changes.
        """
        ...

    def figures(self) -> AsyncIterator[tuple[Figures, ...]]:
        """Stream what containers use: first the figures of every one that runs, then those that differ noticeably.

        They are sampled every `console.refresh_seconds`, at least two seconds apart, and only while somebody reads. The
        CPU share comes with the second sample. A container that has ended has figures that are all None.
        """
        ...

    async def close(self) -> None:
        """Release what this object holds. Running operations go on."""
        ...
