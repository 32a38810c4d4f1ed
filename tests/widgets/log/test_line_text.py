from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from hivetui.widgets.log.line_text import Piece, hidden_bytes, shown_block, shown_text, split_at_spans


@given(some.lists(some.text("ab", max_size=6), max_size=5), some.sets(some.integers(0, 30), max_size=10))
def test_splitting_at_spans_changes_no_text_and_marks_only_the_spans(texts: list[str], edges: set[int]) -> None:
    length = sum(map(len, texts))
    inside = sorted(edge for edge in edges if edge <= length)
    spans = list(zip(inside[::2], inside[1::2], strict=False))
    marked = [
        (char, found) for piece, found in split_at_spans([Piece(text) for text in texts], spans) for char in piece.text
    ]
    assert "".join(char for char, _ in marked) == "".join(texts)
    expected = [any(start <= index < end for start, end in spans) for index in range(length)]
    assert [found for _, found in marked] == expected


@given(some.lists(some.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), min_size=1))
def test_a_block_is_shown_as_its_lines_are(raws: list[bytes]) -> None:
    assert shown_block(raws).decode().split("\n") == [shown_text(raw) for raw in raws]


def test_hidden_bytes_are_counted() -> None:
    assert hidden_bytes(b"x" * 5000, 10) == 5000 - 4096 + 10
