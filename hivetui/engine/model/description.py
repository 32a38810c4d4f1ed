"""The description of a hive."""

from __future__ import annotations

from hivetui.engine.model.base import Model


class HiveDescription(Model):
    """Which hive this is: its root directory or host, and whether it is an embedded one."""

    title: str
    root: str
    embedded: bool
    version: str
