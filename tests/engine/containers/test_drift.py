"""What was changed by hand is reported as drift."""

from __future__ import annotations

from hivetui.engine.containers import conf, drift
from hivetui.engine.host import files
from hivetui.engine.host.host import Host


def test_what_was_changed_by_hand_is_drift(host: Host) -> None:
    path, limits = host.paths.conf("iris"), host.paths.limits("iris")
    files.make_directory(path.parent)
    path.write_text("AUTO_START=0\n")
    assert drift.drifted_files(host, "iris") == (path, limits)
    conf.write_conf(host, "iris")
    assert drift.drifted_files(host, "iris", running=False) == ()
    files.make_directory(limits.parent)
    limits.write_bytes(b"[Service]\nMemoryMax=64G\n")
    assert drift.drifted_files(host, "iris", running=False) == (limits,)
