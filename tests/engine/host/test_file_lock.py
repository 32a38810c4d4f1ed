import os
import subprocess
import sys
from pathlib import Path

from hivetui.engine.host import file_lock


def test_a_locked_file_is_locked_for_everyone_else_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not file_lock.is_locked(path)
    first, second = file_lock.open_file(path), file_lock.open_file(path)
    assert file_lock.try_lock(first)
    assert file_lock.try_lock(first)
    assert not file_lock.try_lock(second)
    assert file_lock.is_locked(path)
    os.close(first)
    assert not file_lock.is_locked(path)
    assert file_lock.try_lock(second)
    os.close(second)


def test_a_locked_directory_is_locked_for_everyone_else_until_it_is_closed(tmp_path: Path) -> None:
    descriptor = file_lock.try_lock_directory(tmp_path)
    assert descriptor is not None
    assert file_lock.try_lock_directory(tmp_path) is None
    os.close(descriptor)
    os.close(file_lock.lock_directory(tmp_path))


def test_neither_a_missing_directory_nor_a_link_to_one_can_be_locked(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert file_lock.try_lock_directory(tmp_path / "missing") is None
    assert file_lock.try_lock_directory(tmp_path / "link") is None


def test_it_needs_no_more_than_the_standard_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); from hivetui.engine.host import file_lock"
    subprocess.run((sys.executable, "-IS", "-c", code), check=True)
