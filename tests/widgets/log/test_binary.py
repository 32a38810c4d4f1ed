"""Which lines of a log are binary data, and that those that follow each other are one line."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from hivetui.engine.model.logs import LogLine
from hivetui.widgets.log.binary import is_binary, merge_binary
from hivetui.widgets.log.line_text import one_line, shown_text

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lines(data: bytes, agent: str = "ada") -> list[LogLine]:
    texts = data.decode("utf-8", "surrogateescape").split("\n")
    return [LogLine(NOW, agent, "demo", text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "日本語",
        "a\tb",
        "\x1b[31mred\x1b[0m" * 9,
        "Gr\udcfc\udcdfe aus K\udcf6ln",
        "50% \x08\x08\x08\x08done\r",
        "\x07" * 9,
    ],
)
def test_text_is_no_binary_data(text: str) -> None:
    assert not is_binary(text)


def test_a_picture_is_named_with_its_size_in_a_few_lines_and_text_around_it_stays() -> None:
    data = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + random.Random(1).randbytes(20_000)
    given = [*lines(b"before\n\nafter an empty line"), *lines(data), *lines(b"end"), *lines(b"other", "bob")]
    shown = [shown_text(one_line(line.text)) for line in merge_binary(given)]
    assert shown[:3] == ["before", "", "after an empty line"]
    assert shown[-2:] == ["end", "other"]
    picture = shown[3:-2]
    fragments = [text for text in picture if not text.startswith("‹binary, ")]  # short ones look like text
    assert len(picture) <= 9
    assert sum(map(len, fragments)) < 50


def test_binary_data_of_two_agents_stays_apart() -> None:
    data = bytes(range(128, 256)) * 2
    merged = list(merge_binary([*lines(data), *lines(data), *lines(data, "bob")]))
    assert [line.agent for line in merged] == ["ada", "bob"]
    assert merged[0].text.count("\n") == 1
