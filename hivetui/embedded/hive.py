"""Opening an embedded hive: the engine in this process, on an embedded host."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hivetui.embedded import open_embedded
from hivetui.embedded.host import require_embedded
from hivetui.engine.hive import LocalHive, open_hive
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.settings import Settings


async def open_embedded_hive(
    folder: Path,
    settings: Settings,
    operator: Operator,
    repair: bool = True,
    create: bool = True,
    role: str = "decide",
) -> LocalHive:
    """Open the embedded hive in `folder`; `repair` and `role` as in `open_hive`.

    A missing one is created or, without `create` or with the role "look", NotFound.
    """
    if not create or role == "look":
        require_embedded(folder)
    host = await asyncio.to_thread(open_embedded, folder, settings)
    return await open_hive(host, operator, repair, role)
