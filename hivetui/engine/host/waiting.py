"""Notes the programs whose end this process waits for, so that a person can be told which one hangs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from hivetui.engine import slow_program
from hivetui.engine.host.host import Command

_SETTING = re.compile(r"--[a-z-]+=")
_WRAPPERS = ("setpriv", "bwrap")
_WITH_VALUE = ("-c", "-C", "--extra-experimental-features")


def noted(command: Command) -> AbstractContextManager[None]:
    """Note that a command is waited for, unless nobody has to wait for it."""
    return slow_program.noted(f"`{name(command.argv)}` has not ended") if command.awaited else nullcontext()


def name(argv: Sequence[str]) -> str:
    """The words that name what is waited for: `systemctl show`, and `git diff-tree` behind a jail and settings."""
    program = Path(argv[0]).name
    if "--" in argv and (program in _WRAPPERS or argv[1] == "-I"):
        return name(argv[argv.index("--") + 1 :])
    words = iter(argv[1:])
    for word in words:
        if word in _WITH_VALUE:
            next(words, None)
        elif not _SETTING.match(word):
            return f"{program} {word}"
    return program
