"""What signs the decisions of this command line's operator, beside the key that `console.sign_key` names."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hivetui.cli.parser import Request

if TYPE_CHECKING:
    from hivetui.client.signing import FindSigner, Sign


def signer_finder(request: Request) -> FindSigner:
    """Finds it when the first decision is made: a verb that only reads has no use for settings."""

    async def find() -> Sign | None:
        return await asyncio.to_thread(_find_signer, request, os.environ)

    return find


def _find_signer(request: Request, environment: Mapping[str, str]) -> Sign | None:
    settings_files = importlib.import_module("hivetui.engine.host.settings_files")
    settings = settings_files.load(environment, Path(request.config) if request.config else None)
    if settings.console.sign_key is None:
        return None
    system_host = importlib.import_module("hivetui.engine.host.system_host")
    signing = importlib.import_module("hivetui.engine.records.signing")
    host = system_host.real_host(Path("/"), settings, environment)

    async def sign(data: bytes) -> str:
        signature = await signing.sign_as_operator(host, signing.operator_key(host), data)
        return str(signature.text.decode("ascii"))

    return sign
