"""The process that runs one operation of an embedded hive: the engine's worker on an embedded host.

`python -m hivetui.embedded.worker ROOT AGENT_FD OPERATION_FD`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from hivetui.embedded import open_embedded
from hivetui.engine import worker
from hivetui.engine.host.host import Host
from hivetui.engine.operations.directory import WorkerRequest


def open_host(request: WorkerRequest, environment: Mapping[str, str]) -> Host:
    """The embedded host on which the operation was requested; its environment is that of this process."""
    return open_embedded(request.root, request.settings)


if __name__ == "__main__":
    sys.exit(worker.run(Path(sys.argv[1]), [int(fd) for fd in sys.argv[2:]], open_host=open_host))
