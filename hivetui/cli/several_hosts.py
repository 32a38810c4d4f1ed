"""Run a verb that lists on several hosts at once, with the name of the host, as it was given, in every row."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable

from hivetui.cli.invocation import Invocation
from hivetui.cli.output import Output
from hivetui.cli.parser import Request
from hivetui.cli.remote import open_remote_hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.text import safe
from hivetui.wire.frames import Json

Verb = Callable[[Invocation], Awaitable[int]]


class HostOutput(Output):
    """What a verb prints about one host: rows of text and of JSON have its name.

    They are kept until all hosts have answered; what follows a log is printed as it comes.
    """

    def __init__(self, out: Output, host: str, name_width: int, request: Request) -> None:
        config = ("--config", request.config) if request.config else ()
        super().__init__(out.stdout, out.stderr, out.as_json, shlex.join(["hivetui", "--host", host, *config]))
        self._host, self._prefix = host, f"{safe(host):{name_width}} "
        self._is_kept = not getattr(request, "follow", False)
        self.kept = ""
        self.rows: list[Json] = []

    def write(self, text: str) -> None:
        """Write lines to stdout, or keep them; errors as for Output."""
        named = "".join(f"{self._prefix}{line}" for line in text.splitlines(keepends=True))
        if self._is_kept:
            self.kept += named
        else:
            super().write(named)

    def print_json(self, content: Json) -> None:
        """Keep the rows of a list; print one row that follows."""
        lists = [value for value in content.values() if isinstance(value, list)]
        if self._is_kept and lists:
            self.rows += [{"host": self._host, **row} for row in lists[0]]
        else:
            Output(self.stdout, self.stderr, as_json=True).print_json({"host": self._host, **content})

    def print_message(self, text: str) -> None:
        """Write a line to stderr, with the name of the host."""
        super().print_message(f"{safe(self._host)}: {text}")

    @property
    def width(self) -> int:
        """What is left of the columns beside the name; 0 for no limit."""
        width = super().width
        return max(20, width - len(self._prefix)) if width else 0


async def run_on_hosts(request: Request, out: Output, verb: Verb) -> int:
    """Run it on all; what one cannot do is told, and is the exit status, beside what the others say."""
    hosts = list(dict.fromkeys(request.hosts))
    name_width = max(len(safe(host)) for host in hosts)
    outputs = [HostOutput(out, host, name_width, request) for host in hosts]
    pairs = zip(hosts, outputs, strict=True)
    results = await asyncio.gather(*(_run_on_host(request, host, output, verb) for host, output in pairs))
    errors = [
        {"host": host, **output.error_to_json(result)}
        for host, output, result in zip(hosts, outputs, results, strict=True)
        if isinstance(result, HiveError)
    ]
    if out.as_json:
        key = "lines" if request.command == "logs" else request.command
        rows = [row for output in outputs for row in output.rows]
        if not getattr(request, "follow", False):
            out.print_json({key: rows, **({"errors": errors} if errors else {})})
    else:
        out.write("".join(output.kept for output in outputs))
    statuses = [result.code if isinstance(result, HiveError) else result for result in results]
    return next(filter(None, statuses), 0)


async def _run_on_host(request: Request, host: str, output: HostOutput, verb: Verb) -> int | HiveError:
    try:
        hive = await open_remote_hive(request, host)
        try:
            return await verb(Invocation(hive, request, output, sys.stdin))
        finally:
            await hive.close()
    except HiveError as error:
        output.print_error(error, with_json=False)
        return error
