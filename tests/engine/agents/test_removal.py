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


def deepened(folder: Path, levels: int) -> None:
    """A folder in a folder in a folder: too long for a path."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(os.open("a file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


@pytest.mark.slow
async def test_folders_by_the_thousand_in_one_another_keep_no_agent_from_being_wiped(host: Host) -> None:
    for folder in (host.paths.state("iris"), host.paths.runtime_of("iris")):
        folder.mkdir(parents=True)
        deepened(folder, 2500)
    await removal.wipe(host, "iris")
    assert not host.paths.state("iris").parent.exists()
    assert not host.paths.runtime_of("iris").exists()
    assert list(removal.trash(host.paths).iterdir()) == []


async def test_what_a_link_leads_to_stays(host: Host, tmp_path: Path) -> None:
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
