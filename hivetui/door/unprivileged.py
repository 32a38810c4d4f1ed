"""Becoming the user of the door, who has no rights but to connect to the engine."""

from __future__ import annotations

import os
import pwd

from hivetui.engine.model.errors import BadConfiguration

_FIX = "Create it (useradd --system --user-group {0}), or name another one: user, under [serve]."


def find_user(name: str) -> pwd.struct_passwd:
    """The user of the door; BadConfiguration for one that does not exist, is root, or is not who runs this."""
    try:
        user = pwd.getpwnam(name)
    except KeyError as error:
        why = "The door serves strangers on the network, so it does not run as root."
        raise BadConfiguration(f"The user {name} of the door does not exist", why, _FIX.format(name)) from error
    if user.pw_uid == 0:
        raise BadConfiguration("The door does not run as root", f"{name} has the uid 0.", _FIX.format("hive-door"))
    if os.geteuid() not in (0, user.pw_uid):
        why = f"This is uid {os.geteuid()}, and the engine lets only {name} speak for operators."
        raise BadConfiguration("The door runs as another user", why, f"Start it as root or as {name}.")
    return user


def become(user: pwd.struct_passwd) -> None:
    """Be this user from now on, without any other group; nothing to do for who is it already."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
