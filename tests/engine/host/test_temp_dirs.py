import signal
import subprocess
import sys
from pathlib import Path

from hivetui.engine.host import temp_dirs

KILLED = """
import os, signal, sys
from pathlib import Path
from hivetui.engine.host import temp_dirs
with temp_dirs.temporary_directory(Path(sys.argv[1]), "work-") as directory:
    (directory / "file").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_directory_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    with temp_dirs.temporary_directory(tmp_path, "work-") as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        (directory / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_was_renamed_stays(tmp_path: Path) -> None:
    with temp_dirs.temporary_directory(tmp_path, "work-") as directory:
        directory.rename(tmp_path / "result")
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_only_the_directory_of_a_dead_owner_is_removed(tmp_path: Path) -> None:
    assert subprocess.run((sys.executable, "-c", KILLED, tmp_path)).returncode == -signal.SIGKILL
    (stale,) = tmp_path.iterdir()
    with temp_dirs.temporary_directory(tmp_path, "other-") as directory:
        assert temp_dirs.remove_stale(tmp_path, "") == (stale,)
        assert [path.name for path in tmp_path.iterdir()] == [directory.name]


def test_the_next_owner_removes_stale_directories(tmp_path: Path) -> None:
    assert subprocess.run((sys.executable, "-c", KILLED, tmp_path)).returncode == -signal.SIGKILL
    with temp_dirs.temporary_directory(tmp_path, "work-") as directory:
        assert list(tmp_path.iterdir()) == [directory]
