"""The level of a line: as the journal has it, as the line states it, or else as its words suggest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest

from hivetui.widgets.log.levels import level_of, stated_level
from hivetui.widgets.log.line_text import shown_text


def corpus(name: str) -> Iterator[tuple[str, str]]:
    """Level and shown text of each line of a file; see its head."""
    for row in (Path(__file__).parent / name).read_text().splitlines():
        if not row.startswith("#"):
            level, _, line = row.partition("|")
            raw = line.replace("\\t", "\t").replace("\\e", "\x1b").encode()
            yield level.replace("-", ""), shown_text(raw)


def test_a_line_that_states_its_level_has_that_level_whatever_its_words_say() -> None:
    lines = list(corpus("stated_levels.txt"))
    assert len(lines) >= 200
    wrong = [(level, level_of(text), text) for level, text in lines if level_of(text) != level]
    assert not wrong


def test_words_that_deny_a_level_do_not_suggest_it() -> None:
    wrong = [(level, level_of(text), text) for level, text in corpus("unstated_levels.txt") if level_of(text) != level]
    assert not wrong


@pytest.mark.parametrize(
    ("priority", "level"),
    [*((number, "error") for number in range(4)), (4, "warning"), (5, "info"), (7, "")],
)
def test_the_priority_of_the_journal_comes_before_what_the_line_says(priority: int, level: str) -> None:
    assert level_of("INFO all is well", priority) == level
    assert level_of("error: nothing is well", priority) == level


@pytest.mark.parametrize("priority", [6, None])
def test_the_priority_that_every_line_gets_says_nothing(priority: int | None) -> None:
    assert level_of("error: nothing is well", priority) == "error"
    assert level_of("hello", priority) == ""


LONG = [
    "[",
    "{",
    '{"',
    "a ",
    "1:",
    "INFO=",
    '"',
    "=a ",
    "0 ",
    "Aerror",
    "level=",
    " ",
    "no error ",
    '{"level":',
    "<",
    "A.b: ",
    '{"log":"\\',
    "[1",
    "aWarning",
]


@pytest.mark.parametrize("part", LONG)
def test_no_line_takes_long(part: str) -> None:
    text = (part * 4096)[:4096]
    began = perf_counter()
    for _ in range(5):
        level_of(text)
        stated_level(text)
    assert perf_counter() - began < 0.25
