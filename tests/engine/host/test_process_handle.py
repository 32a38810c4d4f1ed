import signal
import subprocess

from hivetui.engine.host.process_handle import kill_session
from hivetui.engine.host.procfs import process_stat


def test_a_session_whose_number_was_reused_is_left_alone() -> None:
    other = subprocess.Popen(("sleep", "100"), start_new_session=True)
    try:
        stat = process_stat(other.pid)
        assert stat is not None
        kill_session(other.pid, stat.started - 1)
        assert other.poll() is None
        kill_session(other.pid, stat.started)
        assert other.wait(5) == -signal.SIGKILL
    finally:
        other.kill()
        other.wait()
