"""Which files of a container differ from what the engine would write."""

from __future__ import annotations

from pathlib import Path

from hivetui.engine.containers.conf import engine_values, read_conf, rewrite_conf
from hivetui.engine.containers.limits import limits_text
from hivetui.engine.host.host import Host


def drifted_files(host: Host, name: str, running: bool = True) -> tuple[Path, ...]:
    """The configuration and the limits of an agent's container, each if it has drifted.

    The limits of a stopped container may be missing: a reboot of the host removes them, and a start writes them
    again. Errors as for `conf.read_conf`.
    """
    text = read_conf(host.paths, name)
    limits = host.paths.limits(name)
    drifted = []
    if rewrite_conf(text, engine_values(host.paths, name)) != text:
        drifted.append(host.paths.conf(name))
    expected = limits_text(host.settings.limits_of(name))
    if limits.read_bytes() != expected if limits.exists() else running:
        drifted.append(limits)
    return tuple(drifted)
