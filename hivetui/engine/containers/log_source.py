"""One journal of a query for logs: the lines it has, the lines that come, and what journalctl says of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from hivetui.engine.containers.entry_splitter import EntrySplitter
from hivetui.engine.containers.held_directory import HeldDirectory
from hivetui.engine.containers.journal import (
    Batches,
    Journal,
    cursor_in,
    journalctl_arguments,
    last_cursor,
    parse_entries,
)
from hivetui.engine.host.host import Command, Host
from hivetui.engine.model.binary import binary_label, is_binary
from hivetui.engine.model.errors import CommandFailed
from hivetui.engine.model.logs import NOTE_PRIORITY, NOTE_STREAM, LogLine, LogQuery
from hivetui.engine.model.patterns import Pattern
from hivetui.engine.model.text import sgr_only

_MAX_NOTES = 20
"""Different messages of journalctl that are shown of one journal; an agent can damage files without number."""


class LogSource:
    """Reads one journal in its own order, and knows how far it has been read.

    `notes` collects what is to be shown beside its lines: messages of journalctl, which it also has when it ends with
    status 0, for example of a file that it left out. Each message is noted once.
    """

    def __init__(self, host: Host, query: LogQuery, journal: Journal, pattern: Pattern | None) -> None:
        self.journal = journal
        self.notes: list[LogLine] = []
        self._host, self._query, self._pattern = host, query, pattern
        self._cursor = cursor_in(journal, query.after)
        self._is_read = False  # whether what it had was read; what comes after that is new
        self._noted: set[str] = set()
        self._directory = self._hold_directory()

    async def read_existing(self) -> Batches:
        """The lines that `query` asks for, oldest first. CommandFailed, or Unavailable without journalctl."""
        lines = self._query.lines
        if self._cursor is not None:
            async with aclosing(self._read_on()) as batches:
                async for batch in batches:
                    yield batch
        elif self._pattern is not None and lines is not None:
            yield await self._search_back(self._pattern, lines)
        else:
            # One entry at least, for its cursor
            count = "all" if lines is None else str(max(lines, 1))
            async with aclosing(self._read_entries((f"--lines={count}", *self._since()))) as chunks:
                async for entries in chunks:
                    self._cursor = last_cursor(entries) or self._cursor
                    yield self._matching(entries)
        self._is_read = True

    def is_replaced(self) -> bool:
        """Whether the directory that is read was deleted, and there is another one in its place."""
        return self._directory is not None and self._directory.is_replaced()

    def close(self) -> None:
        """Hold its directory no longer; nothing is read any more."""
        if self._directory is not None:
            self._directory.close()

    def _hold_directory(self) -> HeldDirectory | None:
        directory = self.journal.directory
        return HeldDirectory(directory) if directory is not None and self._query.follow else None

    async def read_new(self) -> Batches:
        """The lines after those that were read, until the reader closes it; the same errors.

        If the journal could not be read yet, it begins with the lines that `query` asks for; everything is new in one
        that has taken its place.
        """
        if self.is_replaced():
            self.close()
            self._directory = self._hold_directory()
            self._cursor, self._is_read = None, True
        async with aclosing(self._read_on(follow=True)) as batches:
            async for batch in batches:
                yield batch

    async def _read_on(self, follow: bool = False) -> Batches:
        if self._cursor is not None:
            selection: tuple[str, ...] = ("--lines=all", f"--after-cursor={self._cursor}")
        else:
            lines = None if self._is_read else self._query.lines
            selection = (f"--lines={'all' if lines is None else lines}", *self._since())
        async with aclosing(self._read_entries(selection, follow)) as chunks:
            async for entries in chunks:
                self._cursor = last_cursor(entries) or self._cursor
                yield self._matching(entries)

    async def _search_back(self, pattern: Pattern, count: int) -> list[LogLine]:
        """The last `count` lines that match, without reading further back than needed."""
        found: list[list[LogLine]] = []
        missing = count
        async with aclosing(self._read_entries(("--lines=all", "--reverse", *self._since()))) as batches:
            async for entries in batches:
                self._cursor = self._cursor or last_cursor(entries[:1])
                found.append(_filter_lines(list(parse_entries(reversed(entries), self.journal)), pattern))
                missing -= len(found[-1])
                if missing <= 0:
                    break
        lines = [line for batch in reversed(found) for line in batch]
        return lines[max(0, len(lines) - count) :]

    def _since(self) -> tuple[str, ...]:
        since = self._query.since
        return () if since is None else (f"--since=@{since.timestamp():.6f}",)

    def _matching(self, entries: Sequence[bytes]) -> list[LogLine]:
        lines = list(parse_entries(entries, self.journal))
        return lines if self._pattern is None else _filter_lines(lines, self._pattern)

    async def _read_entries(
        self, selection: tuple[str, ...], follow: bool = False
    ) -> AsyncGenerator[list[bytes], None]:
        """The entries that journalctl prints, as many at once as a chunk of its output completes."""
        arguments = journalctl_arguments(self.journal, selection, follow)
        command = Command((*self._host.tools.journalctl, *arguments), env=self._host.environment, awaited=not follow)
        splitter = EntrySplitter()
        async with aclosing(self._host.runner.stream(command, self._on_message)) as chunks:
            async for chunk in chunks:
                if entries := splitter.split(chunk):
                    yield entries

    # Notes

    def note_failure(self, error: CommandFailed) -> None:
        """Note that the journal cannot be read, unless its last messages say why."""
        if not any(text.strip() and text in self._noted for text in error.why.splitlines()):
            self._note(f"{error.what}. {error.reason}".strip())

    def take_notes(self) -> list[LogLine]:
        """What was noted since the last call."""
        notes, self.notes = self.notes, []
        return notes

    def _on_message(self, _stream: str, text: str, _cut: int) -> None:
        if text.strip() and not self._is_of_another(text):
            self._note(text)

    def _is_of_another(self, text: str) -> bool:
        """Whether a message is of a container's journal while the host's is read.

        journalctl opens the linked journals too. Their own sources report on them; those of removed containers are
        left behind as links to nothing.
        """
        directory = self._host.paths.root / "var/log/journal"
        if self.journal.agent is not None or not directory.is_dir():
            return False
        return any(str(link) in text for link in directory.iterdir() if link.is_symlink())

    def _note(self, text: str) -> None:
        if text in self._noted or len(self._noted) > _MAX_NOTES:
            return
        self._noted.add(text)
        shown = text if len(self._noted) <= _MAX_NOTES else "More messages of journalctl are not shown"
        agents = set(self.journal.units.values()) if self.journal.agent is None else {self.journal.agent}
        agent = agents.pop() if len(agents) == 1 else ""
        self.notes.append(LogLine(self._host.clock(), agent, NOTE_STREAM, shown, NOTE_PRIORITY))


def _filter_lines(lines: list[LogLine], pattern: Pattern) -> list[LogLine]:
    """The lines whose shown text matches, so that a colour within a word hides nothing from a search."""
    block = "\n".join(_searched_text(line.text) for line in lines).encode()
    return [lines[index] for index in pattern.matching_lines(block)] if lines else []


def _searched_text(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    if is_binary(text):
        return binary_label(text[-100:], len(text.encode("utf-8", "surrogateescape")))
    return "".join(piece for piece, _ in sgr_only(text.removesuffix("\r").expandtabs()))
