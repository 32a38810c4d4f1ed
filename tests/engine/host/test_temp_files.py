"""Which temporary files a killed process has left, and which another one is about to rename."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from hivetui.engine.host import temp_files


def dead_process() -> int:
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_only_a_file_whose_writer_is_gone_is_stale(tmp_path: Path) -> None:
    own = Path(f"{tmp_path}/{temp_files.prefix_of(Path('a.json'))}x1_y{temp_files.SUFFIX}")
    left = tmp_path / f".a.json.{dead_process()}-abc.tmp"
    reused = tmp_path / f".b.json.{os.getpid()}-abc.tmp"  # of another process that had this number
    earlier = tmp_path / ".c.json.abc.tmp"  # as earlier versions named them
    other = tmp_path / ".d.tmp"
    for path in (own, left, reused, earlier, other):
        path.touch()
    assert temp_files.find_stale([tmp_path, tmp_path / "missing"]) == (left,)
    long_ago = time.time() - 10**8
    for path in (reused, earlier, other):
        os.utime(path, (long_ago, long_ago))
    assert set(temp_files.find_stale([tmp_path])) == {left, reused, earlier}
