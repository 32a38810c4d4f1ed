"""The command line: verbs to engine calls to text or JSON; no logic of its own.

Rooms: `command_line` (console, demo, or which verb), `parsing` (words to a request), `opening` (which hive), `running`
(one run of one verb), `looking`, `deciding` and `acting` (the verbs), `following` (operations, live), `render` (values
to text), `output` (where results go). This one imports next to nothing: the console's first words wait for it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as typing's, without its import: this room is on the way to the first words on the screen
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit status of interface.md."""
    from hivetui.console.terminal import splash

    words = sys.argv[1:] if argv is None else list(argv)
    splash.show_splash(words)
    try:
        from . import command_line

        return command_line.main(words)
    finally:
        splash.remove()
