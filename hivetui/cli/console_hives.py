"""The hives of other hosts that one console can have in front. Imported after its first frame: settings take long."""

from __future__ import annotations

from functools import partial

from hivetui.app import HERE
from hivetui.cli.console_engine import open_remote, shell_command
from hivetui.cli.parser import Request
from hivetui.client.destinations import find_destination
from hivetui.console.hives import HiveSource
from hivetui.engine.model.settings import Settings


def find_other_hives(request: Request, settings: Settings) -> list[HiveSource]:
    """The other hosts that were named, then those of the settings. WrongUsage for a named one that cannot be one."""
    named = list(dict.fromkeys(request.hosts))
    for name in named:
        find_destination(name, settings.hosts)
    others = [*named[1:], *(name for name in settings.hosts if name not in named)]
    return [
        HiveSource(
            f"--host {name}" if name == HERE and not named else name,
            partial(open_remote, request, name),
            shell_command(request, name),
            named=name in named,
        )
        for name in others
    ]
