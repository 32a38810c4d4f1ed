"""Runs one widget in an app of its own, reads what it paints, and has hostile text."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import monotonic
from unicodedata import category

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget

from tests.parsed_styles import share_parsed_styles

share_parsed_styles()

HOSTILE = (
    "plain",
    "\x1b[2J\x1b[H\x1b]0;owned\x07",
    "\x1b]52;c;aGFjaw==\x07",
    "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x9b31m\x9d0;x\x9c",
    "a\u202eb\u2066c\u2069\u200b\ufeff\u00ad",
    "[@click=app.quit]approve[/] [bold]b[/bold] [/nonsense]",
    "[red]" * 300,
    "\r\x08\x7f\x00\x0b\x0c\u2028\u2029\x85",
    "\x1b[8mhidden\x1b[0m \x1b[30;40mblack\x1b[0m \x1b[31mred\x1b[0m",
    "e" + "\u0301" * 100,
    "日本語" * 50,
    "pаypal \U000e0041\u3164",
    "👍🏽 🇩🇪 👩🏽‍🚀 हिन्दी \u1112\u1161\u11ab ䷀☰ a\u1161 1️⃣",
)


class Stage(App[None]):
    """An app of one widget."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.widget


Staged = Callable[..., AbstractAsyncContextManager[Pilot[None]]]


@asynccontextmanager
async def on_stage(widget: Widget, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[None]]:
    """Run the widget, alone on a screen, with the focus."""
    async with Stage(widget).run_test(size=size) as pilot:
        widget.focus()
        await pilot.pause()
        yield pilot


@pytest.fixture
def stage() -> Staged:
    """`async with stage(widget, size=(80, 24)) as pilot`."""
    return on_stage


def painted(widget: Widget) -> list[str]:
    """The rows that a widget paints, without trailing spaces and scrollbar."""
    return [widget.render_line(y).text.rstrip(" │█") for y in range(widget.size.height)]


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the app run until a condition is true; fail if it is not after five seconds."""
    deadline = monotonic() + 5
    while not condition():
        assert monotonic() < deadline, "the condition did not become true"
        await pilot.pause(0.005)


def assert_harmless(widget: Widget) -> None:
    """Check that no painted row contains anything that a terminal obeys, reorders or hides, or has a wrong width."""
    for y in range(widget.size.height):
        strip = widget.render_line(y)
        assert strip.cell_length == cell_len(strip.text) == widget.size.width
        for segment in strip:
            assert not segment.control
            assert not (segment.style and (segment.style.conceal or segment.style.link or segment.style.meta))
            bad = [char for char in segment.text if category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
            assert not bad, (y, bad)


Tree = dict[str, bytes]


@pytest.fixture
def git_difference(tmp_path: Path) -> Callable[[Tree, Tree], bytes]:
    """The diff of two trees of files, by the command that the engine uses."""

    def run(*args: str) -> bytes:
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        return subprocess.run(("git", *who, "-C", str(tmp_path), *args), check=True, capture_output=True).stdout

    def commit(tree: Tree) -> None:
        run("rm", "-rfq", "--ignore-unmatch", ".")
        for name, data in tree.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        run("add", "-A")
        run("commit", "-q", "--allow-empty", "-m", "tree")

    def between(old: Tree, new: Tree) -> bytes:
        run("init", "-q")
        commit(old)
        commit(new)
        return run("diff-tree", "-r", "-p", "--text", "--no-color", "--full-index", "HEAD~", "HEAD")

    return between
