"""The applied repo of an agent: the engine's record of what was proposed, approved, deployed and denied.

It is a bare repo in `applied/<name>/.git` (gitrepository-layout(5)), so that git reads no attributes of a proposed
tree. Reading starts no process; each write changes one ref. The meaning of a tag's message is defined in `proposals`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from hivetui.engine.git import objects
from hivetui.engine.git.commands import NULL_ID, Git, is_hash
from hivetui.engine.git.decoding import decode
from hivetui.engine.git.untrusted import proposed, quarantine
from hivetui.engine.host import files, temp_dirs
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, OperationFailed
from hivetui.engine.model.names import check, problem
from hivetui.engine.model.proposals import PROPOSAL_TAGS
from hivetui.engine.model.text import subject

MAIN = "refs/heads/main"
FIRST_TAG = "deployed/0"
FIRST_MESSAGE = "The first system\n\n{}"
CREATION_PREFIX = ".making-"
"""Prefix of the directories of repos that are being created, beside those of the agents."""
_TAGS = "refs/tags/"
_ENGINE_TAG = re.compile(rf"({'|'.join(PROPOSAL_TAGS)})/[0-9]+", re.ASCII)
"""The tags that the engine makes; any other was made by a person and has no meaning here."""
_PERSON = re.compile(r"(?P<who>.*>) (?P<seconds>[0-9]{1,20}) .*", re.DOTALL)


@dataclass(frozen=True)
class Tag:
    """A tag and its commit; the other fields are None for a tag that is not annotated.

    `tagger` is "Name <mail>", and `message` the text after the headers of the tag object (git-mktag(1)).
    """

    name: str
    commit: str
    message: str | None = None
    tagged_at: datetime | None = None
    tagger: str | None = None

    @property
    def tagger_name(self) -> str:
        """The tagger without the mail address, as the name of an operator is recorded; "" without one."""
        return (self.tagger or "").partition(" <")[0]


@dataclass(frozen=True)
class CommitSummary:
    """The fields of a commit that lists show; `title` is the subject of `message`, `author` is "Name <mail>"."""

    id: str
    title: str
    author: str
    authored_at: datetime
    parents: tuple[str, ...]
    message: str


class AppliedRepo:
    """The applied repo of the agent `name`; nothing is cached but immutable objects."""

    def __init__(self, host: Host, name: str) -> None:
        self.host, self.name = host, check(name)
        self.folder = host.paths.applied_of(name)
        self.git_dir = host.paths.applied_git(name)
        self.git = Git(host, self.git_dir)

    def exists(self) -> bool:
        """Whether there is an applied repo, whatever its layout."""
        return self.folder.is_dir() and any(self.folder.iterdir())

    def has_layout(self) -> bool:
        """Whether it is a bare repo with the tag `deployed/0`."""
        return is_bare(self.git_dir) and objects.ref(self.git_dir, _TAGS + FIRST_TAG) is not None

    def layout_refusal(self, why: str = "") -> BadData:
        """The error for a repo without this layout, with the two ways to fix it."""
        return BadData(
            f"The applied repo {self.folder} has an older layout: it has no {FIRST_TAG}",
            why,
            f"Migrate it with `hivetui repair {self.name}`; or `hivetui destroy {self.name} --purge` and spawn anew.",
        )

    def main(self) -> str | None:
        """The commit that is deployed, or None without a main; no hash if the ref is damaged."""
        return objects.ref(self.git_dir, MAIN)

    def require_main(self) -> None:
        """BadData when main is damaged, as by a power cut."""
        main = self.main()
        if main is not None and not is_hash(main):
            raise BadData(
                f"{self.git_dir / MAIN} is damaged",
                "It should hold the commit that is deployed.",
                f"Write into it the full hash of the newest deploy that ran: hivetui history {self.name} --json",
            )

    def tags(self) -> dict[str, Tag]:
        """Every tag by its name ("deployed/0"), except tags made by hand that are not on a commit.

        OperationFailed for an unreadable tag of the engine, since without it a decision would seem not to exist.
        """
        tags = ((name, self._read_tag(name, value)) for name, value in self._tag_values().items())
        return {name: tag for name, tag in tags if tag is not None}

    def tag_names(self) -> tuple[str, ...]:
        """The name of every tag, whatever it points at."""
        return tuple(self._tag_values())

    def _tag_values(self) -> dict[str, str]:
        refs = objects.refs(self.git_dir, _TAGS.rstrip("/"))
        return {ref.removeprefix(_TAGS): value for ref, value in refs.items()}

    def _read_tag(self, name: str, value: str) -> Tag | None:
        try:
            return self._tag(name, value)
        except OperationFailed:
            if _ENGINE_TAG.fullmatch(name):
                raise
            return None

    def tag(self, name: str) -> Tag | None:
        """One tag, or None."""
        value = objects.ref(self.git_dir, _TAGS + name)
        return None if value is None else self._tag(name, value)

    def _tag(self, name: str, value: str) -> Tag:
        target = _resolve_tag(value, self.git_dir)
        return Tag(name, target.commit, target.message, target.tagged_at, target.tagger)

    def commit_summary(self, commit: str) -> CommitSummary:
        """The summary of a commit by its full hash; OperationFailed when there is no such commit."""
        return _summary(commit, self.git_dir)

    async def create_from_proposed(self) -> None:
        """Create it from the main of proposed, tagged `deployed/0`, in one atomic step; an existing one stays as it is.

        BadData when proposed is refused, or when the existing repo has an older layout.
        """
        if self.has_layout():
            return
        if self.exists():
            raise self.layout_refusal()
        commit = await proposed.resolve(self.host, self.name, None)
        parent = self.host.paths.applied
        files.make_directory(parent)
        with (
            files.translate_os_errors(f"{self.folder} could not be created"),
            temp_dirs.temporary_directory(parent, CREATION_PREFIX) as directory,
        ):
            await self._initialize(directory, commit)
            files.sync_tree(directory)
            directory.chmod(0o755)
            directory.replace(self.folder)
            files.sync(parent)

    async def _initialize(self, directory: Path, commit: str) -> None:
        git = Git(self.host, directory / ".git")
        git.git_dir.mkdir()
        await git.run("init", "--quiet", "--bare", "--initial-branch=main", "--shared=0644")
        await quarantine.import_commit(self.host, self.name, commit, git.git_dir, ())
        await git.compare_and_swap(MAIN, commit, NULL_ID)
        await git.create_tag(FIRST_TAG, commit, FIRST_MESSAGE)

    async def move_main(self, new: str, old: str) -> bool:
        """Compare-and-swap of main; False when it was not at `old`."""
        return await self.git.compare_and_swap(MAIN, new, old)

    async def create_tag(self, tag: str, commit: str, message: str) -> bool:
        """Create an annotated tag; False when it exists."""
        return await self.git.create_tag(tag, commit, message)

    async def delete_tag(self, tag: str) -> bool:
        """Delete a tag; False when there is none."""
        value = objects.ref(self.git_dir, _TAGS + tag)
        return value is not None and await self.git.delete_ref(_TAGS + tag, value)


def applied_names(host: Host) -> tuple[str, ...]:
    """The names of the agents that have a directory in `applied`, sorted.

    Directories without a valid agent name (temporary ones among them) are left out. A directory may still be empty or
    hold a repo of an older layout: ask `AppliedRepo.exists` and `has_layout`.
    """
    folder = host.paths.applied
    entries = folder.iterdir() if folder.is_dir() else ()
    return tuple(sorted(entry.name for entry in entries if problem(entry.name) is None and entry.is_dir()))


def is_bare(git_dir: Path) -> bool:
    """Whether `git_dir` is a repo without a work tree, as the engine creates it."""
    try:
        config = (git_dir / "config").read_text("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return False
    return "bare = true" in config and (git_dir / "HEAD").is_file()


@lru_cache(maxsize=50_000)
def _resolve_tag(value: str, git_dir: Path) -> Tag:
    """Read the tag object `value`, or a commit as a tag without a message. Cached, since objects are immutable."""
    kind, body = objects.read(git_dir, value)
    if kind == "commit":
        return Tag("", value)
    if kind != "tag":
        raise OperationFailed(f"{value} in {git_dir} is a {kind}", "a tag of the engine points at a commit")
    fields, message = _parse_object(body)
    target = _resolve_tag(fields["object"][0], git_dir).commit
    tagger, when = _person(fields.get("tagger", [""])[0])
    return Tag(fields["tag"][0], target, message, when, tagger)


@lru_cache(maxsize=20_000)
def _summary(commit: str, git_dir: Path) -> CommitSummary:
    kind, body = objects.read(git_dir, commit)
    if kind != "commit":
        raise OperationFailed(f"{commit} in {git_dir} is a {kind}", "a commit was expected")
    fields, message = _parse_object(body)
    author, when = _person(fields.get("author", [""])[0])
    authored_at, parents = when or datetime.fromtimestamp(0, UTC), tuple(fields.get("parent", ()))
    return CommitSummary(commit, subject(message), author, authored_at, parents, message)


def _parse_object(body: bytes) -> tuple[dict[str, list[str]], str]:
    """The header lines of a commit or tag object (git-cat-file(1)) by their key, and its message.

    Both are decoded by the object's own `encoding`, as git does; continuation lines are dropped.
    """
    head, _, message = body.partition(b"\n\n")
    lines = [line.partition(b" ") for line in head.split(b"\n") if not line.startswith(b" ")]
    encoding = next((value for key, _, value in lines if key == b"encoding"), b"").decode("ascii", "surrogateescape")
    fields: dict[str, list[str]] = {}
    for key, _, value in lines:
        fields.setdefault(decode(key), []).append(decode(value, encoding))
    return fields, decode(message, encoding)


def _person(text: str) -> tuple[str, datetime | None]:
    """The identity ("Name <mail>") and time of an author, committer or tagger line; None for an invalid time.

    A time after the year 9999, which git accepts, is the last one of that year.
    """
    found = _PERSON.fullmatch(text)
    if found is None:
        return text, None
    try:
        return found["who"], datetime.fromtimestamp(int(found["seconds"]), UTC)
    except (ValueError, OverflowError, OSError):
        return found["who"], datetime.max.replace(tzinfo=UTC)
