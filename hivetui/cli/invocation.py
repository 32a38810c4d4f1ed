"""What a verb is given: the hive, the request, where results go, and who can answer a question."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from hivetui.cli.output import Output
from hivetui.cli.parser import Request
from hivetui.engine.api import Hive
from hivetui.engine.model.acts import Tier, describe_consequence, tier_of
from hivetui.engine.model.errors import Interrupted, WrongUsage


@dataclass(frozen=True)
class Invocation:
    """One run of one verb."""

    hive: Hive
    request: Request
    out: Output
    stdin: TextIO

    @property
    def now(self) -> datetime:
        """The current time, which relative times in the output refer to."""
        return datetime.now(UTC)

    @property
    def is_interactive(self) -> bool:
        """Whether a person can answer a question."""
        return can_ask(self.stdin, self.out)

    async def ask(self, question: str) -> str:
        """Ask a question and return the line that is typed; raises Interrupted at the end of the input."""
        self.out.write(question)
        self.out.flush()
        answer = await asyncio.to_thread(self.stdin.readline)
        if not answer:
            raise Interrupted("Nothing was done", "The input ended.", "")
        return answer.rstrip("\r\n")

    async def ask_reason(self, question: str) -> str:
        """Ask why, as the console's dialogs do; raises Interrupted for an empty answer."""
        reason = (await self.ask(f"{question} Why? ")).strip()
        if not reason:
            raise Interrupted("Nothing was done", "A reason is required.", "")
        return reason

    async def confirm(self, act: str, question: str, is_one: bool = True) -> None:
        """Ask before an act whose tier asks, as the console does; raises Interrupted unless "yes" is typed.

        With --yes, and where no one can answer, it is done as given.
        """
        if tier_of(act) is Tier.ASKS and self.is_interactive and not self.request.yes:
            await self.require_answer("yes", f"{question} {describe_consequence(act, is_one)}\nType yes: ")

    async def require_answer(self, word: str, question: str) -> None:
        """Ask a question; raises Interrupted unless exactly `word` is typed."""
        if await self.ask(question) != word:
            raise Interrupted("Nothing was done", f"The answer was not {word!r}.", "")


def can_ask(stdin: TextIO, out: Output) -> bool:
    """Whether a person can answer a question: stdin and stdout are terminals, and the output is not JSON."""
    return stdin.isatty() and out.stdout.isatty() and not out.as_json


def missing_options(command: str, options: str, why: str) -> WrongUsage:
    """The error for options that are required where no one can answer a question."""
    return WrongUsage(f"{command} requires {options}", why, f"Give {options}.")
