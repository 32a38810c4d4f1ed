"""The description of a hive, and advice whose commands reach it. Pure."""

from __future__ import annotations

import shlex

from hivetui.engine.model import acts
from hivetui.engine.model.base import Model


class HiveDescription(Model):
    """Which hive this is: its root directory or host, and whether it is an embedded one.

    `host` is the name by which a client reaches it over SSH; None here.
    """

    title: str
    root: str
    embedded: bool
    version: str
    host: str | None = None

    @property
    def command(self) -> str:
        """The beginning of a shell command that reaches this hive."""
        if self.host is not None:
            return shlex.join(["hivetui", "--host", self.host])
        if self.embedded:
            return shlex.join(["hivetui", "--embedded", self.root])
        return "hivetui" if self.root == "/" else shlex.join(["hivetui", "--root", self.root])

    def complete_commands(self, text: str) -> str:
        """Advice in which every `hivetui VERB` reaches this hive and not the default one."""
        return acts.complete_commands(text, self.command)

    def shorten_commands(self, text: str) -> str:
        """Completed advice as it is short enough for one line beside the title, which says which hive this is."""
        return text.replace(self.command, "hivetui")
