"""What a verb is given: the hive, what was asked, where results go, and who can be asked back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from hivetui.engine.api import Hive
from hivetui.engine.model.errors import Interrupted, WrongUsage

from .output import Output
from .parsing import Request


@dataclass(frozen=True)
class Session:
    """One run of one verb."""

    hive: Hive
    request: Request
    out: Output
    stdin: TextIO

    @property
    def now(self) -> datetime:
        """The time that what is shown is compared with."""
        return datetime.now(UTC)

    @property
    def can_ask(self) -> bool:
        """Whether a person sits on the other side and no program reads."""
        return self.stdin.isatty() and self.out.stdout.isatty() and not self.out.as_json

    async def ask(self, question: str) -> str:
        """What the person types; Interrupted when the input has ended."""
        self.out.stdout.write(question)
        self.out.flush()
        answer = await asyncio.to_thread(self.stdin.readline)
        if not answer:
            raise Interrupted("Nothing was done", "The input ended.", "")
        return answer.rstrip("\r\n")

    async def ask_for(self, word: str, question: str) -> None:
        """Go on only when exactly `word` is typed."""
        if await self.ask(question) != word:
            raise Interrupted("Nothing was done", f"It was not answered with {word!r}.", "")


def required(what: str, options: str, why: str) -> WrongUsage:
    """The error for options that are required where nobody can be asked."""
    return WrongUsage(f"{what} needs {options}", why, f"Give {options}.")
