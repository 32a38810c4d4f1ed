"""The files of a review on an embedded hive: which one is current, and what is marked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.screens.review.screen import ReviewScreen
from hivetui.screens.review.text import shorten_size

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated


def add(proposed: Path, tree: dict[str, str]) -> None:
    """Put these files, and those of the first system, into the index."""
    git(proposed, "read-tree", "-u", "--reset", git(proposed, "rev-list", "--max-parents=0", "HEAD").split()[0])
    for path, text in tree.items():
        (proposed / path).parent.mkdir(parents=True, exist_ok=True)
        (proposed / path).write_text(text)
    git(proposed, "add", "-A")


def git(proposed: Path, *words: str) -> str:
    clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(["git", *words], cwd=proposed, env=clean, check=True, capture_output=True, text=True).stdout


async def reviewed(seat: Seat, home: Home, tree: dict[str, str], agent: int = 1) -> ReviewScreen:
    """The review of a proposal that adds these files, loaded; earlier pending proposals are withdrawn."""
    add(home.folder / f"var/lib/hyperhive/agents/{home.agents[agent]}/config", tree)
    return await shown(seat, home, agent)


async def shown(seat: Seat, home: Home, agent: int = 1) -> ReviewScreen:
    """The review of what is in the index."""
    name = home.agents[agent]
    for one in await seat.hive.proposals(agent=name):
        await seat.hive.withdraw(one.id)
    proposed = home.folder / f"var/lib/hyperhive/agents/{name}/config"
    submitted = await seat.hive.submit(name, home.commit(name, (proposed / "agent.nix").read_text(), "Files"))
    seat.navigator.open("review", number=submitted.id)
    await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen.contents.is_loading)
    screen = seat.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


def viewed(screen: ReviewScreen) -> list[str]:
    assert screen.contents.review is not None
    return [change.path for change in screen.contents.review.files if change in screen.viewed]


@pytest.mark.slow
async def test_the_marked_file_is_the_one_at_the_top_after_any_way_there(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        screen = await reviewed(seat, home, {f"m/{n}.txt": f"{n}\n" for n in range(5)})
        assert screen.contents.review is not None
        paths = [change.path for change in screen.contents.review.files]
        await seat.press("}", "}", "}", "}", "g", "v")
        assert viewed(screen) == [paths[0]]
        for keys in (("}", "}"), ("G",), ("t", "j", "enter"), ("+",), ("g", "}", "-"), ("]",)):
            await seat.press(*keys)
            await seat.when(lambda: not screen.contents.is_loading)
            current = screen.panes.current
            assert current is not None
            assert screen.panes.files.current == current.path
            assert f"━━ {current.path} " in screen.diff.render_line(0).text or keys in (("G",), ("]",))
            before = set(viewed(screen))
            await seat.press("v")
            assert set(viewed(screen)) ^ before == {current.path}


@pytest.mark.slow
async def test_the_current_file_stays_the_one_at_the_top_when_the_terminal_is_resized(
    seated: Seated, home: Home
) -> None:
    async with seated(size=(160, 50)) as seat:
        screen = await reviewed(seat, home, {f"r/{n}.txt": f"{n}\n" * 3 for n in range(4)})
        await seat.press("}", "}", "u")
        for size in ((80, 30), (160, 50), (120, 12)):
            await seat.pilot.resize_terminal(*size)
            await seat.pilot.pause()
            current = screen.panes.current
            assert current is not None
            assert screen.diff.current_path == screen.panes.files.current == current.path
            assert f"━━ {current.path} " in screen.diff.render_line(0).text


@pytest.mark.slow
async def test_marks_of_viewed_files_are_there_again_in_another_console_until_the_file_changes(
    seated: Seated, home: Home
) -> None:
    tree = {"kept/a.txt": "a\n", "kept/b.txt": "b\n"}
    async with seated() as seat:
        screen = await reviewed(seat, home, tree)
        await seat.press("v", "v")
        assert viewed(screen) == ["kept/a.txt", "kept/b.txt"]
    async with seated() as seat:
        screen = await reviewed(seat, home, tree | {"kept/b.txt": "changed\n"})
        assert viewed(screen) == ["kept/a.txt"]


@pytest.mark.slow
async def test_long_paths_and_renames_can_be_told_apart_in_the_list(seated: Seated, home: Home) -> None:
    async with seated(size=(120, 40)) as seat:
        await reviewed(seat, home, {f"examples/flakes/{name}/modules/agent/default.nix": name for name in ("ab", "cd")})
        rows = [line[:43] for line in seat.text.split("\n") if "new" in line[:12]]
        assert len(rows) == len({row[12:] for row in rows}) == 2, rows


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 120])
async def test_a_rename_shows_both_names_in_the_list(seated: Seated, home: Home, width: int) -> None:
    async with seated(size=(width, 40)) as seat:
        proposed = home.folder / f"var/lib/hyperhive/agents/{home.agents[1]}/config"
        add(proposed, {})
        place = proposed / "modules/of/the/agent/flake.nix"
        place.parent.mkdir(parents=True, exist_ok=True)
        (proposed / "flake.nix").rename(place)
        git(proposed, "add", "-A")
        (proposed / "agent.nix").write_text("{ ... }: { }\n")
        await shown(seat, home)
        row = next(line for line in seat.text.splitlines() if "renamed" in line[:20])
        names = row[: row.index("│")] if "│" in row else row
        assert "{ → " in names
        assert "/agent/}flake.nix" in names


async def test_a_filter_of_files_counts_them_and_says_when_none_is_left(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        await reviewed(seat, home, {"a.txt": "1\n", "b.txt": "2\n", "c.nix": "{ }\n"})
        await seat.press("t", "slash", "t", "x", "t")
        await seat.until("2 of 3 files")
        await seat.press("q")
        await seat.until("None of 3 files contains 'txtq'.", "0 of 3 files")
        await seat.press("escape", "escape")
        await seat.until("a.txt", "c.nix", gone=("of 3 files",))


async def test_a_file_that_is_chosen_and_not_in_the_diff_is_said_to_have_no_difference(
    seated: Seated, home: Home
) -> None:
    async with seated(size=(120, 40)) as seat:
        proposed = home.folder / f"var/lib/hyperhive/agents/{home.agents[1]}/config"
        add(proposed, {"m/other.txt": "x\n"})
        (proposed / "agent.nix").write_text((proposed / "agent.nix").read_text().rstrip("\n"))
        git(proposed, "add", "-A")
        await shown(seat, home)
        await seat.press("W")
        await seat.until("file 1/1, complete")
        await seat.press("t", "k")
        await seat.until("WHITESPACE CHANGES HIDDEN", "agent.nix has no difference here")
        await seat.press("j")
        await seat.until("m/other.txt, file 1/1", gone=("has no difference here",))


def test_counts_of_a_file_are_never_cut_within_a_number() -> None:
    assert shorten_size("+99 -99", 7) == "+99 -99"
    assert shorten_size("+123 -45", 7) == "+123-45"
    assert shorten_size("+1234 -45", 7) == "+1K -45"
    assert shorten_size("+1234 -12345", 7) == "+1K-12K"
    assert shorten_size("binary 934B→48M", 9) == "binary"


async def test_binary_files_and_what_became_of_a_file_are_named_whole_in_the_list(seated: Seated, home: Home) -> None:
    async with seated(size=(120, 40)) as seat:
        proposed = home.folder / f"var/lib/hyperhive/agents/{home.agents[1]}/config"
        add(proposed, {"some/long/path/to/a/picture/of/a/logo.png": "\0" * 10240})
        (proposed / "agent.nix").unlink()
        (proposed / "agent.nix").symlink_to("flake.nix")
        git(proposed, "add", "-A")
        commit = git(
            proposed,
            "-c",
            "user.name=a",
            "-c",
            "user.email=b",
            "commit-tree",
            "-m",
            "Files",
            git(proposed, "write-tree").strip(),
        )
        submitted = await seat.hive.submit(home.agents[1], commit.strip())
        seat.navigator.open("review", number=submitted.id)
        await seat.until("now a link", " binary ", "added  binary 10K")
