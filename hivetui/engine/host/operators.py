"""Who the operator is: the login name (the one behind sudo), the uid, and where the login came from."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from hivetui.engine.model.operations import Operator


def from_environment(environment: Mapping[str, str]) -> Operator:
    """The operator of this process, from the environment of its login.

    SUDO_USER counts only for root, because anyone else could set it. `source` is "local", or "ssh" with the address of
    the peer from SSH_CONNECTION (sshd(8): client address, client port, server address, server port).
    """
    uid = os.getuid()
    name = (environment.get("SUDO_USER") if uid == 0 else None) or _login_name(uid)
    connection = environment.get("SSH_CONNECTION", "").split()
    return Operator(
        name=printable_name(name), uid=uid, source=f"ssh {printable_name(connection[0])}" if connection else "local"
    )


def _login_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def printable_name(text: str) -> str:
    """One short word that is safe in tags and logs, of a name that somebody gave."""
    return "".join(char if char.isprintable() and char not in " <>" else "?" for char in text[:64]) or "unknown"
