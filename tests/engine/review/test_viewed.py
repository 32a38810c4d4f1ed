"""Marks of viewed files are kept by operator and agent, within bounds, whatever happens to their file."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData
from hivetui.engine.review import viewed
from hivetui.engine.review.viewed import load_marks, set_mark

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(root=tmp_path)


def test_a_mark_belongs_to_one_operator_and_one_agent(paths: Paths) -> None:
    set_mark(paths, "anna", "iris", mark("a"), True, NOW)
    set_mark(paths, "../bob", "iris", mark("b"), True, NOW)
    set_mark(paths, "anna", "otto", mark("c"), True, NOW)
    assert load_marks(paths, "anna", "iris", NOW) == {mark("a")}
    assert load_marks(paths, "../bob", "iris", NOW) == {mark("b")}
    set_mark(paths, "anna", "iris", mark("a"), False, NOW)
    assert load_marks(paths, "anna", "iris", NOW) == frozenset()
    assert load_marks(paths, "anna", "otto", NOW) == {mark("c")}


def test_old_marks_and_those_above_the_limit_are_dropped(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewed, "MAX_MARKS", 3)
    for number in range(5):
        set_mark(paths, "anna", "iris", mark(str(number)), True, NOW + timedelta(days=number))
    later = NOW + timedelta(days=4)
    assert load_marks(paths, "anna", "iris", later) == {mark("2"), mark("3"), mark("4")}
    assert load_marks(paths, "anna", "iris", NOW + viewed.MAX_AGE + timedelta(days=4)) == {mark("4")}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"iris": []}', b'{"iris": {"x": "y"}}', b"\xff"])
def test_a_damaged_file_counts_as_empty_and_is_replaced(paths: Paths, content: bytes) -> None:
    set_mark(paths, "anna", "iris", mark("a"), True, NOW)
    (file,) = (paths.engine / "viewed").iterdir()
    file.write_bytes(content)
    assert load_marks(paths, "anna", "iris", NOW) == frozenset()
    set_mark(paths, "anna", "iris", mark("b"), True, NOW)
    assert load_marks(paths, "anna", "iris", NOW) == {mark("b")}


def test_what_is_not_a_digest_is_refused(paths: Paths) -> None:
    with pytest.raises(BadData):
        set_mark(paths, "anna", "iris", "agent.nix", True, NOW)
