"""Which lines of a log are binary data, and that those that follow each other are one line."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from hivetui.engine.model.binary import is_binary, merge_binary
from hivetui.engine.model.errors import CommandFailed
from hivetui.engine.model.logs import LogLine
from hivetui.widgets.log.binary import LOG_KIND, merge_binary_batches
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


def picture(seed: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + random.Random(seed).randbytes(20_000) + b"\0\0\0\0IEND\xaeB`\x82"


@pytest.mark.parametrize("seed", range(40))
def test_a_picture_is_one_line_with_its_size_and_text_around_it_stays(seed: int) -> None:
    data = picture(seed)
    given = [*lines(b"before\n\nafter an empty line"), *lines(data), *lines(b"}\nend"), *lines(b"other", "bob")]
    shown = [shown_text(one_line(line.text)) for line in merge_binary(given, LOG_KIND)]
    assert shown[:3] == ["before", "", "after an empty line"]
    assert shown[-3:] == ["}", "end", "other"]
    assert len(shown) == 7
    assert re.fullmatch("‹binary, 200.. bytes›", shown[3])


async def test_a_picture_that_comes_in_parts_is_one_line_and_nothing_waits_for_more_of_it() -> None:
    given = [*lines(b"before"), *lines(picture(1)), *lines(b"after")]
    more = asyncio.Event()

    async def batches() -> AsyncIterator[list[LogLine]]:
        for start in range(0, len(given), 7):
            yield given[start : start + 7]
        yield lines(picture(2))
        await more.wait()
        yield lines(b"last")

    seen: list[str] = []
    async with asyncio.timeout(20):
        async for batch in merge_binary_batches(batches(), LOG_KIND):
            seen += [shown_text(one_line(line.text)) for line in batch]
            if len(seen) == 4:  # the second picture is shown though nothing follows it
                more.set()
    assert [text[:8] for text in seen] == ["before", "‹binary,", "after", "‹binary,", "last"]
    assert {len(line.text.split("\n")) for line in merge_binary(lines(b"ok\n\x01"), LOG_KIND)} == {1}


async def test_an_error_comes_after_the_lines_before_it() -> None:
    async def batches() -> AsyncIterator[list[LogLine]]:
        yield lines(picture(3))
        raise CommandFailed("lost", "", "")

    merged = merge_binary_batches(batches(), LOG_KIND)
    assert len(await anext(merged)) == 1
    with pytest.raises(CommandFailed, match="lost"):
        await anext(merged)


def test_binary_data_of_two_agents_stays_apart() -> None:
    data = bytes(range(128, 256)) * 2
    merged = list(merge_binary([*lines(data), *lines(data), *lines(data, "bob")], LOG_KIND))
    assert [line.agent for line in merged] == ["ada", "bob"]
    assert merged[0].text.count("\n") == 1
