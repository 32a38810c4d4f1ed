"""`hivetui engine`: serve the hive of the command line until a signal or, with --stdio, the end of the input."""

from __future__ import annotations

import asyncio
import os

from hivetui.cli.open_local import open_local_hive
from hivetui.cli.parser import Request
from hivetui.cli.service_choice import find_service
from hivetui.engine.model.errors import HiveError, WrongUsage
from hivetui.service import engine


def run(request: Request) -> int:
    """Run it to its end; the exit status. A failure on stdio is also told to the client there.

    With --read-only, which is for the one client of --stdio, it changes nothing in the hive.
    """
    if not request.stdio and request.read_only:
        why = "It has clients with roles of their own: who is in socket.look_group reads."
        raise WrongUsage("The service takes no --read-only", why, "Leave it out, or serve one client: --stdio.")
    if not request.stdio:
        asyncio.run(_serve(request))
        return 0
    try:
        asyncio.run(_serve_stdio(request))
    except HiveError as error:
        engine.refuse(error)
        raise
    return 0


async def _serve(request: Request) -> None:
    await engine.serve(await open_local_hive(request, os.environ, repair=False), os.environ)


async def _serve_stdio(request: Request) -> None:
    """Serve the one client; by the service where one listens, which would give it all the rights of its user."""
    if not request.read_only and (service := find_service(request)) is not None:
        await engine.pass_on(service)
        return
    await engine.serve_stdio(await open_local_hive(request, os.environ, repair=False))
