import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hivetui.engine.host import files
from hivetui.engine.model.errors import CannotCreate, HiveError, NotAllowed

FULL_DISK = """
import subprocess, sys
from pathlib import Path
from hivetui.engine.host import files
from hivetui.engine.model.errors import CannotCreate
disk = Path(sys.argv[1])
subprocess.run(("mount", "-t", "tmpfs", "-o", "size=64k", "none", disk), check=True)
files.replace(disk / "kept", b"old")
try:
    files.replace(disk / "kept", bytes(1 << 20))
except CannotCreate as error:
    print(error.why)
    print((disk / "kept").read_text(), [path.name for path in disk.iterdir()])
"""
NOT_OURS = """
import os, sys
from pathlib import Path
from hivetui.engine.host import files
from hivetui.engine.model.errors import HiveError
if os.geteuid() == 0:
    os.setuid(65534)
try:
    files.replace(Path(sys.argv[1]) / "file", b"data")
except HiveError as error:
    print(type(error).__name__, error.why)
"""


def test_a_file_is_replaced_with_its_contents_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    files.replace(path, b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_of_the_old_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with path.open() as reader:
        files.replace(path, b"new")
        assert reader.read() == "old"


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("theirs")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    files.replace(tmp_path / "link", b"ours")
    assert (tmp_path / "target").read_text() == "theirs"
    assert not (tmp_path / "link").is_symlink()


def test_a_failure_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotCreate) as failure:
        files.replace(tmp_path / "folder", b"data")
    assert "folder could not be written" in failure.value.what
    assert failure.value.why
    assert failure.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_directory_is_created_with_its_parents_and_may_exist(tmp_path: Path) -> None:
    folder = tmp_path / "a/b/c"
    files.make_directory(folder, 0o700)
    files.make_directory(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_file_where_a_directory_should_be_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotCreate, match="could not be created"):
        files.make_directory(tmp_path / "file")


def test_removing_a_missing_file_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files.remove(tmp_path / "file")
    files.remove(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "kind"), [(28, CannotCreate), (30, CannotCreate), (122, CannotCreate), (1, NotAllowed), (13, NotAllowed)]
)
def test_every_errno_becomes_an_error_with_reason_and_fix(number: int, kind: type[HiveError]) -> None:
    error = files.describe_os_error(OSError(number, os.strerror(number)), "It could not be written")
    assert type(error) is kind
    assert error.why == os.strerror(number)
    assert error.fix


@pytest.mark.parametrize(
    ("output", "number"),
    [
        ("fatal: write error: No space left on device", errno.ENOSPC),
        ("fatal: sha1 file '<stdout>' write error. Out of diskspace", errno.ENOSPC),
        ("error: unable to create file: Read-only file system", errno.EROFS),
        ("error: unable to open: Permission denied", errno.EACCES),
    ],
)
def test_a_refused_write_is_recognized_in_the_output_of_a_program(tmp_path: Path, output: str, number: int) -> None:
    refusal = files.write_refusal(output, tmp_path)
    assert refusal is not None
    assert refusal.errno == number


def test_the_room_for_a_file_is_found_out_by_taking_it(tmp_path: Path) -> None:
    assert not files.lacks_room(tmp_path, 1 << 16)
    available = os.statvfs(tmp_path)
    assert files.lacks_room(tmp_path, available.f_bavail * available.f_frsize * 2 + (1 << 30))
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_fails_with_enough_disk_space_was_not_refused_a_write(tmp_path: Path) -> None:
    assert files.write_refusal("fatal: bad object", tmp_path) is None
    assert files.write_refusal("fatal: bad object", tmp_path / "missing") is None
    assert files.disk_full_error("ls: Permission denied") is None
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_another_user_is_not_allowed(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    told = subprocess.run((sys.executable, "-c", NOT_OURS, str(tmp_path)), check=True, capture_output=True, text=True)
    assert told.stdout.splitlines() == ["NotAllowed Permission denied"]


@pytest.mark.root
def test_a_full_disk_keeps_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    unshare = ("unshare", "--mount", "--propagation", "private")
    if os.geteuid() != 0 or subprocess.run((*unshare, "true"), check=False, capture_output=True).returncode != 0:
        pytest.skip("needs root and mount namespaces")
    argv = (*unshare, sys.executable, "-c", FULL_DISK, str(tmp_path))
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    assert told == ["No space left on device", "old ['kept']"]
