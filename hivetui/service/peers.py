"""Who is at the other end of a Unix socket, and what they may do, by the kernel's word and the group database."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass

from hivetui.engine.host import procfs
from hivetui.engine.model.settings import ServeSection, SocketSection
from hivetui.wire.verbs import Role

_SSH_SERVERS = ("sshd", "sshd-session", "sshd-auth")
_MAX_ANCESTORS = 64
_CREDENTIALS = struct.Struct("3i")
"""struct ucred of unix(7): process, user, group."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected."""

    pid: int
    uid: int

    @property
    def name(self) -> str:
        """The login name of its user."""
        return user_name(self.uid)


def peer_of(connection: socket.socket) -> Peer:
    """Who connected, as the kernel recorded it then (SO_PEERCRED)."""
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Peer(pid, uid)


def user_name(uid: int) -> str:
    """The login name of a user; "uid-1000" for one that the user database does not have."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def source_of(peer: Peer) -> str:
    """Where the peer comes from: "ssh unknown" below an SSH server of root, else "local".

    That server is all that shows of a client elsewhere: the socket is connected to by it, or by what it has started.
    Nothing that the peer's user can set is believed, so the address stays unknown.
    """
    pid = peer.pid
    for _ in range(_MAX_ANCESTORS):
        if (stat := procfs.process_stat(pid)) is None:
            break
        if stat.name in _SSH_SERVERS and procfs.effective_uid(pid) == 0:
            return "ssh unknown"
        pid = stat.parent
    return "local"


def is_door(uid: int, settings: ServeSection) -> bool:
    """Whether this is the user of the SSH door, who speaks for the operators of the settings. It is called in a thread.

    It has no role of its own, whatever its groups: somebody who broke into the door is not to decide for it.
    """
    try:
        return uid != 0 and bool(settings.operators) and pwd.getpwnam(settings.user).pw_uid == uid
    except KeyError:
        return False


def role_of(uid: int, settings: SocketSection) -> Role | None:
    """What a user may do; None for nothing. It may ask the network for the groups, so it is called in a thread.

    Root and the user that the engine runs as could change the hive without the engine. Of the others, members of the
    two groups of the settings have a role; who is in both decides.
    """
    if uid in (0, os.geteuid()) or _is_member(uid, settings.group):
        return Role.DECIDE
    return Role.LOOK if _is_member(uid, settings.look_group) else None


def _is_member(uid: int, group: str) -> bool:
    try:
        members, user = grp.getgrnam(group), pwd.getpwuid(uid)
    except KeyError:
        return False
    return user.pw_name in members.gr_mem or user.pw_gid == members.gr_gid
