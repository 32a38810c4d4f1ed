"""What of a diff goes into a record as seen: whole hunks, as git writes them with three lines of context."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from hivetui.engine.model.proposals import FileChange, FileStatus
from hivetui.screens.review.seen import find_seen
from hivetui.widgets.diff.index import DiffIndex

OLD = [f"line {number}" for number in range(60)]


def diff(folder: Path, context: int, old: str, new: str) -> bytes:
    (folder / "old").write_text(old)
    (folder / "new").write_text(new)
    argv = ["git", "diff", "--no-index", "--no-color", f"-U{context}", "old", "new"]
    return subprocess.run(argv, cwd=folder, capture_output=True, check=False).stdout


def indexed(data: bytes) -> DiffIndex:
    index = DiffIndex()
    index.feed(data)
    assert index.finish() is None
    return index


def hashes(data: bytes) -> list[str]:
    """The hashes of the hunks of a diff, by what is documented."""
    bodies = [part.split(b"\n", 1)[1] for part in data.split(b"\n@@ ")[1:]]
    return sorted(sha256(body if body.endswith(b"\n") else body + b"\n").hexdigest() for body in bodies)


@pytest.mark.parametrize("gap", [1, 5, 6, 7, 8, 20])
@pytest.mark.parametrize("end", ["\n", ""])
def test_hunks_are_hashed_as_with_three_lines_of_context_whatever_is_shown(tmp_path: Path, gap: int, end: str) -> None:
    new = list(OLD)
    new[20] = "changed"
    new[20 + gap + 1] = "changed too"
    new[-1] = "the last one"
    texts = "\n".join(OLD) + "\n", "\n".join(new) + end
    expected = hashes(diff(tmp_path, 3, *texts))
    for context in (3, 4, 10, 10_000):
        seen = find_seen(indexed(diff(tmp_path, context, *texts)), (), context, lambda line: True)
        assert seen is not None
        assert list(seen.hunks) == expected
    narrow = find_seen(indexed(diff(tmp_path, 1, *texts)), (), 1, lambda line: True)
    assert narrow is not None
    assert narrow.hunks == ()


def test_a_hunk_of_which_a_line_was_not_visible_was_not_seen(tmp_path: Path) -> None:
    new = ["first", *OLD[1:30], "middle", *OLD[30:]]
    data = diff(tmp_path, 3, "\n".join(OLD) + "\n", "\n".join(new) + "\n")
    index = indexed(data)
    (first, second) = index.files[0].hunks
    seen = find_seen(index, (), 3, lambda line: line < second.line + 3)
    assert seen is not None
    assert len(seen.hunks) == 1
    assert seen.hunks[0] in hashes(data)
    nothing = find_seen(index, (), 3, lambda line: line != first.line + 1 and line < second.line)
    assert nothing is not None
    assert nothing.hunks == ()


@pytest.mark.parametrize(
    ("status", "is_visible", "is_seen"),
    [(FileStatus.ADDED, True, True), (FileStatus.ADDED, False, False), (FileStatus.MODIFIED, True, False)],
)
def test_a_new_file_that_was_visible_whole_counts_by_its_blob(
    status: FileStatus, is_visible: bool, is_seen: bool
) -> None:
    blob = "b" * 40
    data = b"diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,2 @@\n+one\n+two\n"
    index = indexed(data)
    change = FileChange(
        path="x", old_path=None, status=status, additions=2, deletions=0,
        old_mode="000000", new_mode="100644", old_blob="0" * 40, new_blob=blob,
    )  # fmt: skip
    seen = find_seen(index, (change,), 3, lambda line: is_visible or line + 1 < index.count)
    assert seen is not None
    assert seen.blobs == ((blob,) if is_seen else ())
