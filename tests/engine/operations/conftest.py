import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivetui.engine.host.host import Host, Tools
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.settings import Settings
from tests.engine.operations.support import WORKER
from tests.warm.programs import warm


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "host")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(WORKER)
    return path


@pytest.fixture
def host(paths: Paths, script: Path) -> Host:
    return Host(
        paths=paths,
        settings=Settings(),
        runner=ProcessRunner(),
        tools=Tools(systemd_run=None),
        environment=dict(os.environ),
        worker=warm(str(script)),
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    argv = ("mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk))
    if os.geteuid() != 0 or subprocess.run(argv, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs root and the right to mount")
    yield disk
    subprocess.run(("umount", "--lazy", disk), check=True)  # a worker may still be on its way out
