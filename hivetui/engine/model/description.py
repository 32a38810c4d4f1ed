"""Which hive this is."""

from __future__ import annotations

from hivetui.engine.model.base import Model


class HiveDescription(Model):
    """Which hive this is: its folder or host, and whether it is the embedded one."""

    title: str
    root: str
    embedded: bool
    version: str
