"""The process that does one operation of an embedded hive: the engine's worker on an embedded host.

`python -m hivetui.embedded.worker FOLDER AGENT_FD OPERATION_FD`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from hivetui.embedded import open_embedded
from hivetui.engine import worker
from hivetui.engine.host.host import Host
from hivetui.engine.operations.directory import WorkerRequest


def open_host(asked: WorkerRequest, environment: Mapping[str, str]) -> Host:
    """The embedded host on which the operation was requested; it takes its environment from this process."""
    return open_embedded(asked.root, asked.settings)


if __name__ == "__main__":
    sys.exit(worker.run(Path(sys.argv[1]), [int(fd) for fd in sys.argv[2:]], open_host=open_host))
