import unicodedata
from timeit import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivetui.engine.model.text import MAX_MARKS, cells, is_mark, mixed_script, safe, safe_lines, sgr_only

HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\x9b\u202e\u200d\ufe0f\u0301\U000e0041\udc80ae\t\n漢"))
)
DANGEROUS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def obeyed(text: str) -> set[str]:
    return {unicodedata.category(char) for char in text} & DANGEROUS


def longest_pile(text: str) -> int:
    longest = pile = 0
    for char in text:
        pile = pile + 1 if is_mark(char) else 0
        longest = max(longest, pile)
    return longest


def check_everything(text: str, width: int) -> None:
    shown, cut = safe(text), safe(text, width)
    assert not obeyed(shown)
    assert not obeyed(cut)
    assert longest_pile(shown) <= MAX_MARKS
    assert safe(shown) == shown
    assert cells(cut) <= width
    assert safe(cut, width) == cut
    assert all(not obeyed(piece) for piece, _ in sgr_only(text))
    for start, end in mixed_script(text):
        assert 0 <= start < end <= len(text)


@given(HOSTILE, st.integers(0, 90))
@settings(max_examples=150, deadline=None)
def test_safe_text_contains_nothing_a_terminal_obeys(text: str, width: int) -> None:
    check_everything(text, width)


@pytest.mark.fuzz
@given(HOSTILE, st.integers(0, 200))
@settings(max_examples=15_000, deadline=None)
def test_safe_text_contains_nothing_a_terminal_obeys_in_many_more_cases(text: str, width: int) -> None:
    check_everything(text, width)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
@settings(max_examples=50, deadline=None)
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a‹U+001B›[31mb"),
        ("\x1b]52;c;aGk=\x07", "‹U+001B›]52;c;aGk=‹U+0007›"),
        ("\x9b2J", "‹U+009B›2J"),
        ("user\u202egro", "user‹U+202E›gro"),
        ("pa\u200bss", "pa‹U+200B›ss"),
        ("a\U000e0041", "a‹U+E0041›"),
        ("a\ufe0f", "a‹U+FE0F›"),
        ("\u3164", "‹U+3164›"),
        ("a\u00a0b", "a‹U+00A0›b"),
        ("x\u2028y", "x‹U+2028›y"),
        ("line\r", "line‹U+000D›"),
        ("a\tb\nc\x7f", "a→b⏎c‹U+007F›"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf‹\\xe9›"),
        ("größe 漢字 né", "größe 漢字 né"),
        ("[@click=app.approve('7')]x[/]", "[@click=app.approve('7')]x[/]"),
    ],
)
def test_characters_that_a_terminal_obeys_or_hides_become_tokens(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_the_caller_chooses_how_a_tab_is_shown() -> None:
    assert safe("a\tb", tab="    ") == "a    b"
    assert safe("a\tb", 20, tab="    ") == "a    b"


def test_more_marks_than_the_limit_become_tokens() -> None:
    assert safe("e" + "\u0301" * 6) == "e" + "\u0301" * MAX_MARKS + "‹U+0301›" * 2


def test_a_mark_without_a_base_is_a_token() -> None:
    assert safe("\u0301a") == "‹U+0301›a"


def test_a_long_line_is_cut_with_the_count_of_what_is_not_shown() -> None:
    assert safe("x" * 1000, 20) == "x" * 11 + "… (+989)"


def test_a_line_of_ten_megabytes_is_cut_without_reading_it_all() -> None:
    line = "\u202e" * 10_000_000
    assert safe(line, 80).endswith("… (+9999992)")
    assert timeit(lambda: safe(line, 80), number=10) < 1


def test_a_token_is_never_cut_in_two() -> None:
    assert safe("\u202e" * 5, 16) == "‹U+202E›… (+4)"


def test_in_few_cells_only_an_ellipsis_is_appended() -> None:
    assert [safe("abcdefgh", width) for width in (0, 1, 3)] == ["", "…", "ab…"]


def test_wide_characters_take_two_cells() -> None:
    assert safe("漢字漢字漢字漢字漢字", 14) == "漢字漢… (+7)"
    assert safe("漢字漢字漢字漢字漢字", 12) == "漢字漢字漢…"


def test_only_a_line_feed_ends_a_line() -> None:
    assert safe_lines("a\x0bb\u2028c\nd") == ("a‹U+000B›b‹U+2028›c", "d")


def test_a_letter_of_another_script_in_a_word_is_found() -> None:
    assert mixed_script("services.nginх.enable = сurl;") == ((13, 14), (24, 25))


def test_words_of_one_script_are_not_reported() -> None:
    assert mixed_script("größe 漢字 ключ λόγος 5µs naïve") == ()


def test_a_word_made_only_of_look_alikes_is_reported_as_a_whole() -> None:
    assert mixed_script("run сору now") == ((4, 8),)


def test_letters_that_only_look_like_ascii_are_found() -> None:
    assert mixed_script("sud𝐨 cur\uff4c") == ((3, 4), (8, 9))


def test_a_log_keeps_its_colours() -> None:
    assert sgr_only("a \x1b[1;31merror\x1b[0m b") == [("a ", ()), ("error", (1, 31)), (" b", ())]


def test_a_log_cannot_hide_its_text_by_colour() -> None:
    assert sgr_only("\x1b[8mx\x1b[30;40my\x1b[38;5;0mz\x1b[38;2;0;31;0mw") == [(char, ()) for char in "xyzw"]


def test_a_log_keeps_nothing_else_of_a_sequence() -> None:
    assert sgr_only("\x1b[2Ja\x1b[32mb\x1b[") == [("‹U+001B›[2Ja", ()), ("b‹U+001B›[", (32,))]


def test_a_colour_ends_another_and_a_weight_ends_by_its_own_code() -> None:
    assert sgr_only("\x1b[31;1ma\x1b[92mb\x1b[22mc\x1b[39md") == [
        ("a", (1, 31)),
        ("b", (1, 92)),
        ("c", (92,)),
        ("d", ()),
    ]


@pytest.mark.bench
def test_plain_lines_cost_next_to_nothing() -> None:
    lines = ["Nov 22 23:40:01 alice nginx[311]: GET /index.html 200"] * 100_000
    seconds = min(timeit(lambda: [safe(line) for line in lines], number=1) for _ in range(5))
    print(f"safe(): {len(lines) / seconds / 1e6:.1f} M plain lines/s")
    assert len(lines) / seconds > 1_000_000
