import os
import subprocess
import sys
from pathlib import Path

import pytest

from hivetui.engine.host import procfs


def test_this_process_is_described() -> None:
    stat = procfs.process_stat(os.getpid())
    assert stat is not None
    assert (stat.parent, stat.group, stat.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    assert stat.is_running
    assert 0 <= stat.age < 24 * 3600
    assert stat.threads >= 1
    assert stat.resident_pages > 0


def test_a_process_that_does_not_exist_has_no_description() -> None:
    assert procfs.process_stat(2**22 + 1) is None


@pytest.mark.parametrize("name", ["a", "a b", "a) R (b", ")) Z 1 1", "\udcff"])
def test_a_name_cannot_forge_the_other_fields(tmp_path: Path, name: str) -> None:
    fields = " ".join(map(str, range(4, 53)))
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_bytes(f"7 ({name}) S {fields}\n".encode("utf-8", "surrogateescape"))
    stat = procfs.process_stat(7, tmp_path)
    assert stat == (stat and stat.name, "S", 4, 5, 6, 14 + 15, 20, 22, 24)


def test_a_zombie_does_not_count_as_running() -> None:
    child = subprocess.Popen(("true",), start_new_session=True)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    stat = procfs.process_stat(child.pid)
    assert stat is not None
    assert not stat.is_running
    assert not procfs.is_group_running(child.pid)
    child.wait()


def test_it_needs_no_more_than_the_standard_library() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); from hivetui.engine.host import procfs; procfs.boot_id()"
    )
    subprocess.run((sys.executable, "-IS", "-c", code), check=True)
