from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivetui.engine.model.patterns import BadPattern, compile_pattern, find_problem


@pytest.mark.parametrize(
    "text", ["(a+)+$", "(a|a)*$", "((a+)b)*$", "(?:x*y)+$", "([a-z]+)*$", "(a{1,9}){5,}$", "(.*)*=.*"]
)
def test_a_pattern_that_could_backtrack_for_ever_takes_linear_time(text: str) -> None:
    pattern, line = compile_pattern(text), "a" * 4096 + "!"
    began = perf_counter()
    pattern.find(line)
    pattern.spans(line)
    list(pattern.matching_lines("\n".join([line] * 20).encode()))
    assert perf_counter() - began < 2


@pytest.mark.parametrize("text", ["(", "[", "*", ")", "a{1001}"])
def test_what_is_not_a_pattern_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadPattern, match="not a regular expression: "):
        compile_pattern(text)


@pytest.mark.parametrize("text", ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b"])
def test_lookaround_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadPattern, match="lookahead and lookbehind are not supported"):
        compile_pattern(text)


@pytest.mark.parametrize("text", [r"(a)\1", "(?P<a>x)(?P=a)"])
def test_backreferences_are_refused_by_name(text: str) -> None:
    with pytest.raises(BadPattern, match="backreferences are not supported"):
        compile_pattern(text)


def test_an_escaped_backslash_before_a_digit_is_no_backreference() -> None:
    with pytest.raises(BadPattern, match="missing"):
        compile_pattern(r"\\1(")


def test_a_refusal_says_what_is_wrong_and_not_the_whole_text_again() -> None:
    assert find_problem("warn(ing") == "not a regular expression: missing )"
    assert find_problem("warning") == find_problem("") == ""


def test_nothing_is_written_to_the_terminal_about_a_bad_pattern(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadPattern):
        compile_pattern("(")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["error", "GET /.*", r"\(a+\)+", "[(+]+x", "(foo|bar) baz", r"^\d+\.\d+", "(ab)+c"])
def test_what_people_look_for_is_accepted(text: str) -> None:
    assert compile_pattern(text).text == text


def test_case_counts_only_with_capitals() -> None:
    assert compile_pattern("error").find("ERROR")
    assert not compile_pattern("Error").find("ERROR")
    assert compile_pattern(r"\Sx").find("AX")


def test_spans_count_characters_and_leave_out_empty_matches() -> None:
    assert compile_pattern("x*").spans("äxx漢x") == [(1, 3), (4, 5)]
    assert compile_pattern("漢").find("ä漢") == (1, 2)


PATTERNS = [
    "a",
    "b$",
    "^a",
    "^$",
    "x*",
    r"\s",
    "[^a]",
    r"a\n?b",
    "a.b",
    r"\Ab",
    r"b\z",
    "(?s)a.*b",
    "(?m:^b$)",
    r"\W",
    r"\Qa",
    "a|^b",
    "ä",
]


@pytest.mark.parametrize("text", PATTERNS)
@given(lines=st.lists(st.text("ab .ä", max_size=5), min_size=1, max_size=8))
def test_a_block_has_the_matches_of_its_lines(text: str, lines: list[str]) -> None:
    pattern = compile_pattern(text)
    expected = [index for index, line in enumerate(lines) if pattern.find(line)]
    assert list(pattern.matching_lines("\n".join(lines).encode())) == expected
