import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hivetui.engine.host import locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData, Busy

HOLD = """
import sys
from pathlib import Path
from hivetui.engine.host import locks
lock = locks.acquire(Path(sys.argv[1]), "the other process", 7)
print("held", flush=True)
sys.stdin.read()
"""
ADOPT = """
import subprocess, sys
from hivetui.engine.host import locks
lock = locks.adopt(int(sys.argv[1]))
subprocess.Popen(("sleep", "1000"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print("adopted", flush=True)
sys.stdin.read()
"""


def python(code: str, *arguments: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    """A process that has printed a line; it ends when its input is closed."""
    process = subprocess.Popen(
        (sys.executable, "-c", code, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_a_held_lock_is_busy_and_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "agent-iris"
    with python(HOLD, str(path)) as other:
        with pytest.raises(Busy) as refused:
            locks.acquire(path, "us")
        assert refused.value.what == "Agent iris is busy"
        assert "the other process has held it since 20" in refused.value.why
        assert f"(process {other.pid})" in refused.value.why
        assert "operation 7" in refused.value.fix
        assert (holder := locks.current_holder(path)) is not None
        assert (holder.what, holder.pid, holder.operation) == ("the other process", other.pid, 7)
        other.communicate()
    locks.acquire(path, "us").release()


def test_a_kill_releases_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with python(HOLD, str(path)) as other:
        assert not locks.is_free(path)
        other.kill()
        other.communicate()
    assert locks.is_free(path)
    assert locks.current_holder(path) is None


def test_a_test_neither_takes_the_lock_nor_creates_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert locks.is_free(path)
    assert not path.exists()
    with locks.acquire(path, "us"):
        assert not locks.is_free(path)
        assert not locks.is_free(path)
    assert locks.is_free(path)


def test_a_lock_excludes_within_one_process_too(tmp_path: Path) -> None:
    with locks.acquire(tmp_path / "lock", "first"), pytest.raises(Busy, match="first has held it"):
        locks.acquire(tmp_path / "lock", "second")


def test_an_inherited_lock_outlives_our_release_but_grandchildren_do_not_inherit_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = locks.acquire(path, "us")
    with python(ADOPT, str(lock.fd), pass_fds=(lock.fd,)) as heir:
        lock.release()
        lock.release()
        assert not locks.is_free(path)
        heir.communicate()
        assert locks.is_free(path)  # though the heir's own child still runs
        os.killpg(heir.pid, 9)


def test_a_lock_that_another_holds_cannot_be_adopted(tmp_path: Path) -> None:
    with locks.acquire(tmp_path / "lock", "us"):
        descriptor = os.open(tmp_path / "lock", os.O_RDWR)
        with pytest.raises(Busy):
            locks.adopt(descriptor)
        os.close(descriptor)


async def test_a_waiting_caller_gets_the_lock_once_it_is_free(tmp_path: Path) -> None:
    first = locks.acquire(tmp_path / "lock", "first")
    waiting = asyncio.ensure_future(locks.wait_for(tmp_path / "lock", "second", timeout=20))
    await asyncio.sleep(0)
    assert not waiting.done()
    first.release()
    with await waiting:
        assert not locks.is_free(tmp_path / "lock")


async def test_waiting_ends_at_the_timeout(tmp_path: Path) -> None:
    with locks.acquire(tmp_path / "lock", "first"), pytest.raises(Busy, match="first"):
        await locks.wait_for(tmp_path / "lock", "second", timeout=0.06)


def test_a_damaged_lock_file_still_locks(tmp_path: Path) -> None:
    with locks.acquire(tmp_path / "lock", "first"):
        (tmp_path / "lock").write_bytes(b"\xff[")
        with pytest.raises(Busy, match="Another process"):
            locks.acquire(tmp_path / "lock", "second")


def test_the_lock_of_an_agent_has_a_checked_name(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert locks.agent_lock(paths, "iris").parent == locks.meta_lock(paths).parent == paths.locks
    with pytest.raises(BadData):
        locks.agent_lock(paths, "../iris")
