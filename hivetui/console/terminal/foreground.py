"""Another program in the terminal that a console has left for it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence


def run(argv: Sequence[str], terminal: int) -> int:
    """Run it to its end as the terminal's foreground process group, so that Ctrl-C is its own; its exit status."""
    child = subprocess.Popen(argv, process_group=0)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])  # who gives the terminal back is not in front
    try:
        os.tcsetpgrp(terminal, child.pid)
        return child.wait()
    finally:
        os.tcsetpgrp(terminal, os.getpgrp())
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
