"""Who asks: the login name behind sudo, the uid of the process, and where the person sits."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from hivetui.engine.model.operations import Operator


def from_environment(environment: Mapping[str, str]) -> Operator:
    """The operator of this process, as the environment of a login tells.

    SUDO_USER counts only for root: anyone else could set it. `source` is "local", or the peer's address from
    SSH_CONNECTION (sshd: "client-address client-port server-address server-port").
    """
    uid = os.getuid()
    name = (environment.get("SUDO_USER") if uid == 0 else None) or _login_name(uid)
    connection = environment.get("SSH_CONNECTION", "").split()
    return Operator(name=_plain(name), uid=uid, source=f"ssh {_plain(connection[0])}" if connection else "local")


def _login_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def _plain(text: str) -> str:
    """One printable word, short: it goes into tags and logs."""
    return "".join(char if char.isprintable() and char not in " <>" else "?" for char in text[:64]) or "unknown"
