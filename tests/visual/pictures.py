"""The pictures of the README: `python -m tests.visual.pictures FOLDER` makes them anew (make pictures)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from .looking import AGENTS, HOME, STILL, Sees, Step, console, walk
from .svg import compact

SIZE = (120, 36)
WAYS: dict[str, tuple[Step, ...]] = {
    "agents": (HOME,),
    "review": (AGENTS, "2", Sees("#12"), "enter", Sees("a approve ")),
    "operation": (AGENTS, "3", Sees("31"), "enter", Sees("118 of 240")),
    "logs": (AGENTS, "4", HOME),
}


async def picture(*steps: Step) -> str:
    """What the console looks like after these steps, as SVG."""
    app = console(STILL)
    async with app.run_test(size=SIZE) as pilot:
        await walk(*steps)(pilot)
        return compact(app.export_screenshot(title="hivetui", simplify=True))


def main(folder: Path) -> None:
    """Write every picture."""
    for name, steps in WAYS.items():
        (folder / f"{name}.svg").write_text(asyncio.run(picture(*steps)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
