"""The diff that is read before its review is known."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from hivetui.engine.model.errors import NotFound
from hivetui.screens.review.diff_ahead import DiffAhead


@pytest.mark.parametrize("error", [NotFound("There is no proposal 7"), LookupError("a bug")])
async def test_an_error_comes_after_the_chunks_to_whoever_reads(error: Exception) -> None:
    async def failing() -> AsyncGenerator[bytes, None]:
        yield b"first"
        raise error

    chunks = DiffAhead(failing()).read()
    assert await anext(chunks) == b"first"
    with pytest.raises(type(error)):
        await anext(chunks)
