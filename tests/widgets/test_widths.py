"""What the engine measures is what Textual lays out: `text.cells` and Rich agree on all text that `safe` lets pass."""

from __future__ import annotations

import sys
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size

from hivetui.engine.model.text import MAX_MARKS, cells, is_mark, safe

EMOJI = [chr(code) for code in (*range(0x1F300, 0x1FB00), *range(0x2600, 0x27C0), 0x231A, 0x2B50, 0x3030, 0x303D)]
SKIN_TONES = [chr(code) for code in range(0x1F3FB, 0x1F400)]
FLAG_LETTERS = [chr(code) for code in range(0x1F1E6, 0x1F200)]
LEADS, VOWELS, FINALS = (
    [chr(code) for code in codes] for codes in (range(0x1100, 0x1113), range(0x1161, 0x1176), range(0x11A8, 0x11C3))
)
BASES = ["", "a", "漢", "한", "\u1100", "·", "👍", "नि", "\u0e01"]


def assert_same_width(text: str) -> None:
    shown = safe(text)
    assert cells(shown) == cell_len(shown), (ascii(text), shown)
    assert "\u200d" not in shown
    assert not any("\ufe00" <= char <= "\ufe0f" for char in shown)  # so that Rich, too, adds up single characters


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
def test_every_code_point_has_one_width(base: str) -> None:
    for code in range(sys.maxunicode + 1):
        text = base + chr(code)
        shown = safe(text)
        if shown == text and not shown.isascii():
            assert cells(shown[-1]) == get_character_cell_size(shown[-1]), f"U+{code:04X}"


def test_emoji_sequences_have_one_width() -> None:
    for emoji in EMOJI:
        sequences = [emoji, emoji + "\ufe0f", emoji + "\ufe0e", f"{emoji}\u200d{emoji}", f"{emoji}\ufe0f\u20e3"]
        for text in sequences + [emoji + tone for tone in SKIN_TONES]:
            assert_same_width(text)
    for pair in product(FLAG_LETTERS, repeat=2):
        assert_same_width("".join(pair))
    for text in ("👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏳️‍🌈", "1️⃣", "👩🏽‍🚀"):
        assert_same_width(text)


def test_hangul_has_one_width_composed_or_not() -> None:
    for lead, vowel, final in product(LEADS, VOWELS, ["", *FINALS]):
        text = lead + vowel + final
        assert safe(text) == text
        assert cells(text) == cell_len(text) == 2


@pytest.mark.parametrize("char", ["\u1161", "\u11a8", "\ud7b0"])
def test_a_jamo_that_joins_nothing_is_a_token(char: str) -> None:
    assert safe("a" + char) == f"a‹U+{ord(char):04X}›"
    assert safe(char) == f"‹U+{ord(char):04X}›"


@pytest.mark.parametrize("text", ["👍🏽", "🇩🇪", "ह\u093f", "\u4dc0", "a\u0903"])
def test_a_character_on_whose_width_terminals_disagree_is_a_token(text: str) -> None:
    assert f"‹U+{ord(text[-1]):04X}›" in safe(text)


@given(
    st.lists(
        st.one_of(st.characters(), st.sampled_from("e\u0301\u20dd漢한\u1100\u1161\u11a8👍🏽\u200d\ufe0fกำ")),
        max_size=40,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_text_has_one_width_whole_and_cut(chars: list[str]) -> None:
    text = "".join(chars)
    assert_same_width(text)
    for width in (1, 5, 20):
        cut = safe(text, width)
        assert cells(cut) == cell_len(cut) <= width


def test_marks_take_no_cell() -> None:
    assert is_mark("\u0301")
    assert cells("e" + "\u0301" * MAX_MARKS) == cell_len("e" + "\u0301" * MAX_MARKS) == 1
