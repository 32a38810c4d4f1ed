"""Long work on the loop in slices so short that a key between them is not felt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter

SLICE = 0.002  # seconds of work, then as long a rest


async def run_sliced(steps: Iterator[object]) -> None:
    """Run an iterator to its end, one short step at a time, resting after each slice."""
    until = perf_counter() + SLICE
    for _ in steps:
        if perf_counter() >= until:
            await asyncio.sleep(SLICE)
            until = perf_counter() + SLICE
