"""Runs long work on the event loop in slices so short that a key pressed meanwhile is answered without delay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter

SLICE = 0.002  # seconds of work, followed by a pause of the same length


async def run_sliced(steps: Iterator[object]) -> None:
    """Exhaust an iterator whose steps are short, with a pause after each slice."""
    until = perf_counter() + SLICE
    for _ in steps:
        if perf_counter() >= until:
            await asyncio.sleep(SLICE)
            until = perf_counter() + SLICE
