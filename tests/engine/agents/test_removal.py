"""Removing what agents wrote: extreme depth, and links that lead elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hivetui.engine.agents import removal
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.settings import Settings


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(Paths(tmp_path / "hive"), Settings(), ProcessRunner())


def nest_directories(folder: Path, levels: int) -> None:
    """Nest directories so deeply that the path is too long to be used."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(os.open("a file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


@pytest.mark.slow
async def test_directories_nested_by_the_thousand_are_removed(host: Host) -> None:
    for folder in (host.paths.state("iris"), host.paths.runtime_of("iris")):
        folder.mkdir(parents=True)
        nest_directories(folder, 2500)
    await removal.wipe(host, "iris")
    assert not host.paths.state("iris").parent.exists()
    assert not host.paths.runtime_of("iris").exists()
    assert list(removal.trash(host.paths).iterdir()) == []


async def test_links_are_removed_and_not_followed(host: Host, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "in it").mkdir(parents=True)
    state = host.paths.state("iris")
    deep = state / "/".join(["d"] * 150)
    deep.mkdir(parents=True)
    for folder in (state, deep):
        (folder / "link").symlink_to(outside)
    await removal.wipe(host, "iris")
    assert (outside / "in it").is_dir()
    assert not state.exists()
