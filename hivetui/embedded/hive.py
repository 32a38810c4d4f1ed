"""Opening an embedded hive: the engine in this process over an embedded host."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hivetui.embedded import open_embedded
from hivetui.engine.hive import LocalHive, open_hive
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.settings import Settings


async def open_embedded_hive(folder: Path, settings: Settings, operator: Operator, mend: bool = True) -> LocalHive:
    """The embedded hive in `folder`, created if it is missing; with `mend`, what earlier crashes left is repaired."""
    host = await asyncio.to_thread(open_embedded, folder, settings)
    return await open_hive(host, operator, mend)
