"""Texts of our own with several lines: one line where there is room for one, else broken where they break."""

from __future__ import annotations

from hivetui.engine.model.errors import BadData
from hivetui.engine.model.text import join_lines, safe_block


def test_lines_become_sentences_or_are_set_off_by_semicolons() -> None:
    assert join_lines("one\ntwo.\n\n  three:\nfour\n") == "one; two. three: four"
    assert join_lines("") == join_lines("\n \n") == ""
    assert BadData("what", "It failed\n  at line 3").reason == "It failed; at line 3"


def test_a_block_breaks_where_its_lines_do_and_is_safe() -> None:
    assert safe_block("one\n\n  two\x1b[2J\n") == "one\n  two‹U+001B›[2J"
    assert safe_block("\n") == ""
