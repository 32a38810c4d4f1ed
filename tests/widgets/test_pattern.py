from __future__ import annotations

import pytest

from hivetui.widgets.pattern import BadPattern, compile_pattern


@pytest.mark.parametrize("text", ["(a+)+", "(a|a)*", "((a+)b)*", "(?:x*y)+", "([a-z]+)*$", "(a{1,9}){5,}"])
def test_a_pattern_that_could_run_for_ever_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadPattern, match="for ever"):
        compile_pattern(text)


@pytest.mark.parametrize("text", ["(", "[", "*", "(?P<a>x)(?P<a>y)"])
def test_what_is_no_pattern_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadPattern, match="not a regular expression"):
        compile_pattern(text)


@pytest.mark.parametrize("text", ["error", "GET /.*", r"\(a+\)+", "[(+]+x", "(foo|bar) baz", r"^\d+\.\d+", "(ab)+c"])
def test_what_people_look_for_is_accepted(text: str) -> None:
    assert compile_pattern(text).pattern == text


def test_case_counts_only_with_capitals() -> None:
    assert compile_pattern("error").search("ERROR")
    assert not compile_pattern("Error").search("ERROR")
    assert compile_pattern(r"\Sx").search("AX")
