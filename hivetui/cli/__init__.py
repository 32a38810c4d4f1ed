"""The command line: it turns verbs into engine calls, and results into text or JSON; it has no logic of its own.

`command_line` chooses between the console, the demo and a verb; `parser` reads the words; `open_hive` opens the hive
that they name; `dispatch` runs one verb of `verbs/`; `follow` streams operations; `render` formats values;
`output` writes them. This module imports next to nothing, because the splash screen is shown from here.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the import of typing, which would delay the splash screen
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status, as interface.md defines it."""
    from hivetui.console.terminal import splash

    words = sys.argv[1:] if argv is None else list(argv)
    _open_closed_streams()
    splash.show(words)
    try:
        from hivetui.cli import command_line

        return command_line.main(words)
    finally:
        splash.remove()


def _open_closed_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr is closed, as git does: no later file may become one of them."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
