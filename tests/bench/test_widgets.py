from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest
from rich.syntax import Syntax
from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import DataTable, Log, Static

from hivetui.engine.model.patterns import compile_pattern
from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.log.line_filter import LineFilter, match_pattern, matching_numbers
from hivetui.widgets.log.store import LogStore
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Column

from .conftest import Figure, Record
from .staged import AGENTS, COLUMNS, rows, values
from .terminal import at, staged

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
KEYS = 200
LINE = b"2026-01-01T00:00:00 agent iris says line %07d of very many, as agents do when left alone\n"


class Empty(App[None]):
    """An app that widgets are mounted into."""

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)


async def milliseconds_to_mount(make: Callable[[], Widget]) -> float:
    """From the making of a widget with its content to its first paint."""
    async with Empty().run_test(size=(160, 48)) as pilot:
        began = perf_counter()
        widget = make()
        await pilot.app.mount(widget)
        while not widget.size:  # noqa: ASYNC110 - layout tells nobody
            await asyncio.sleep(0)
        widget.render_lines(widget.size.region)
        return (perf_counter() - began) * 1000


def our_table() -> LineTable:
    table = LineTable([Column(title.lower(), title, 6, 16) for title in COLUMNS])
    table.set_rows(rows(0))
    return table


def peer_table() -> DataTable[str]:
    table: DataTable[str] = DataTable()
    table.add_columns(*COLUMNS)
    for agent in range(AGENTS):
        table.add_row(*values(agent, 0))
    return table


async def test_mounting_the_table(record: Record) -> None:
    await milliseconds_to_mount(our_table)
    ours = min([await milliseconds_to_mount(our_table) for _ in range(3)])
    peers = min([await milliseconds_to_mount(peer_table) for _ in range(3)])
    record(Figure("900 agents: mount", "ms", ours, 40, "DataTable", peers))


def test_keys_in_a_table_of_which_every_row_changes(record: Record) -> None:
    with staged("table_peer") as terminal:
        peers = at(terminal.key_times(40), 0.99)
        peer_share = terminal.cpu_share(3)
    with staged("table_ours") as terminal:
        ours = at(terminal.key_times(KEYS), 0.99)
        share = terminal.cpu_share(3)
    record(Figure("900 agents at 10 Hz: key p99", "ms", ours, 20, "DataTable", peers))
    record(Figure("900 agents at 10 Hz: of a core", "%", share, 20, "DataTable", peer_share))


def test_keys_while_nothing_happens(record: Record) -> None:
    with staged("idle_peer") as terminal:
        peers = terminal.key_times(KEYS)
    with staged("idle_ours") as terminal:
        ours = terminal.key_times(KEYS)
    record(Figure("idle: key p50", "ms", at(ours, 0.5), 4, "minimal app", at(peers, 0.5)))
    record(Figure("idle: key p99", "ms", at(ours, 0.99), 8, "minimal app", at(peers, 0.99)))


def test_keys_while_a_log_streams(record: Record) -> None:
    with staged("log_peer") as terminal:
        peers = at(terminal.key_times(40), 0.99)
    with staged("log_ours") as terminal:
        ours = at(terminal.key_times(KEYS), 0.99)
        share = terminal.cpu_share(3)
    record(Figure("50 000 lines/s: key p99", "ms", ours, 16, "Log.write_lines", peers))
    record(Figure("50 000 lines/s: of a core", "%", share, 30))


def test_keys_on_a_slow_line(record: Record) -> None:
    with staged("log_peer", rate=200_000) as terminal:
        peers = terminal.key_times(20)[-1]
    with staged("log_ours", rate=200_000) as terminal:
        ours = terminal.key_times(KEYS)[-1]
    record(Figure("50 000 lines/s, 200 KB/s: worst key", "ms", ours, 150, "Log.write_lines", peers))


def test_adding_lines_to_the_store(record: Record) -> None:
    chunk = b"".join(LINE % number for number in range(3000))
    store, began = LogStore(None), perf_counter()
    while store.end < 1_500_000:
        store.feed_bytes(chunk)
    ours = store.end / (perf_counter() - began)
    log, lines = Log(), chunk.decode().splitlines()
    began = perf_counter()
    for _ in range(10):
        log._lines.extend(line for text in lines for line in text.splitlines())
    peers = 30_000 / (perf_counter() - began)
    record(Figure("log: lines taken in", "M/s", ours / 1e6, 2, "Log's own splitting", peers / 1e6, more=True))


def test_keeping_a_million_lines(record: Record) -> None:
    chunk = b"".join(LINE % number for number in range(4000))
    sizes = []
    for keep in (_store_of, _list_of):
        tracemalloc.start()
        kept = keep(chunk, 250)
        sizes.append(tracemalloc.get_traced_memory()[0] / 2**20)
        tracemalloc.stop()
        del kept
    record(Figure("log: a million lines", "MB", sizes[0], 128, "list of str", sizes[1]))


@pytest.mark.parametrize(("text", "share"), [("line 0*5", "0.1 %"), ("line .*7 of", "10 %"), ("says", "all")])
def test_a_regular_expression_over_a_million_lines(record: Record, text: str, share: str) -> None:
    store = LogStore(None)
    for start in range(0, 1_000_000, 4000):
        store.feed_bytes(b"".join(LINE % number for number in range(start, start + 4000)))
    began = perf_counter()
    pattern = compile_pattern(text)
    next(number for number in matching_numbers(store, match_pattern(pattern), 0, store.end) if number is not None)
    first = perf_counter() - began
    began = perf_counter()
    line_filter = LineFilter(store, pattern)
    while line_filter.step():
        pass
    ours = perf_counter() - began
    regex, lines = re.compile(text), [(LINE % number).decode() for number in range(100_000)]
    began = perf_counter()
    for line in lines:
        regex.search(line)
    peers = 10 * (perf_counter() - began)
    record(Figure(f"log: regex over 1 M lines, {share} match: first hit", "ms", first * 1000, 50))
    record(Figure(f"log: regex over 1 M lines, {share} match: all", "s", ours, 0.5, "re.search, a call a line", peers))


def _store_of(chunk: bytes, times: int) -> object:
    store = LogStore(None)
    for _ in range(times):
        store.feed_bytes(chunk)
    return store


def _list_of(chunk: bytes, times: int) -> object:
    return [line for _ in range(times) for line in chunk.decode().splitlines()]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repo whose last commit changes a good half of the lines of some files: a difference of 50 000 lines."""
    folder = tmp_path_factory.mktemp("repo")

    def run(*args: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "gc.auto=0")
        subprocess.run(("git", *who, "-C", str(folder), *args), check=True, capture_output=True)

    run("init", "-q")
    for turn in range(2):
        for file in range(50):
            lines = [f'  option{n} = "{n + turn * (n % 2)}"; # {"of a file" * 3}\n' for n in range(660)]
            (folder / f"file{file:02}.nix").write_text("".join(lines))
        run("add", "-A")
        run("commit", "-qm", "turn")
    return folder


def git_command(repo: Path) -> tuple[str, ...]:
    return ("git", "-C", str(repo), "diff-tree", "-r", "-p", "--text", "--no-color", "--full-index", "HEAD~", "HEAD")


def difference_of(repo: Path) -> bytes:
    return subprocess.run(git_command(repo), check=True, capture_output=True).stdout


def test_the_first_paint_of_a_large_difference(record: Record, repo: Path) -> None:
    data = subprocess.run(git_command(repo), check=True, capture_output=True).stdout
    peers = min(_git_milliseconds(repo) for _ in range(5))
    first, whole = DiffView(), DiffView()
    ours = min(_first_paint(repo, first) for _ in range(5))
    began = perf_counter()
    whole.feed(data)
    whole.finish()
    loaded = (perf_counter() - began) * 1000
    lines = data.count(b"\n")
    record(Figure(f"difference of {lines} lines: first lines ready", "ms", ours, None, "git", peers, times_peer=3))
    record(Figure(f"difference of {lines} lines: indexed", "ms", loaded, None, "git", peers, times_peer=3))


def _git_milliseconds(repo: Path) -> float:
    began = perf_counter()
    subprocess.run(git_command(repo), check=True, capture_output=True)
    return (perf_counter() - began) * 1000


def _first_paint(repo: Path, view: DiffView) -> float:
    """Until the view has lines to paint; the paint itself is measured in the terminal."""
    began = perf_counter()
    view.start()
    with subprocess.Popen(git_command(repo), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        view.feed(os.read(process.stdout.fileno(), 256 * 1024))
        elapsed = (perf_counter() - began) * 1000
        process.stdout.read()
    assert view.line_count()
    return elapsed


async def test_painting_a_difference(record: Record, repo: Path) -> None:
    data = await asyncio.to_thread(difference_of, repo)
    part = b"\n".join(data.split(b"\n")[:5000]).decode()

    def ours() -> Widget:
        view = DiffView()
        view.feed(data)
        return view

    mine = min([await milliseconds_to_mount(ours) for _ in range(3)])
    peers = await milliseconds_to_mount(lambda: Static(Syntax(part, "diff")))
    record(Figure("difference of 50 000 lines: mount to painted", "ms", mine, None, "Static(Syntax) of 5 000", peers))


@pytest.mark.parametrize("lines", [1000, 50_000])
def test_scrolling_a_difference(record: Record, repo: Path, tmp_path: Path, lines: int) -> None:
    data = subprocess.run(git_command(repo), check=True, capture_output=True).stdout
    file = tmp_path / "difference"
    file.write_bytes(b"".join(data.splitlines(keepends=True)[:lines]))
    for scenario, by, limit in (("diff_line", "line", 16), ("diff_page", "page", 25)):
        with staged(scenario, str(file)) as terminal:
            ours = at(terminal.key_times(KEYS if lines > 1000 or by == "line" else 18), 0.99)
        record(Figure(f"difference of {lines} lines: scroll by {by}, p99", "ms", ours, limit))
