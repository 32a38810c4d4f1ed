"""`hivetui serve`: the SSH door of the hive of the command line, until a signal."""

from __future__ import annotations

import os
from pathlib import Path

from hivetui.cli.parser import Request
from hivetui.cli.settings import load_settings
from hivetui.door import serve
from hivetui.embedded.host import require_embedded


def run(request: Request) -> int:
    """Serve to the end; the exit status."""
    root = Path(request.embedded or request.root or "/").expanduser().absolute()
    if request.embedded:
        require_embedded(root)
    serve.serve(load_settings(request, os.environ), root, os.environ, "look" if request.read_only else None)
    return 0
