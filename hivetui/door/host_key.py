"""The host key of the door: made once, in a directory that only the user of the door can read."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

import asyncssh

from hivetui.engine.host import files
from hivetui.engine.model.errors import BadConfiguration
from hivetui.engine.model.places import DOOR_KEY

_TYPE = "ssh-ed25519"


def find_directory(environment: Mapping[str, str], root: Path) -> Path:
    """Where the door keeps its state: systemd's directory for it, else its own below the root of the hive."""
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given) if given else (root / DOOR_KEY).parent


def prepare_directory(directory: Path, user: pwd.struct_passwd) -> None:
    """Make the directory for the user of the door, who need not have the right to; BadConfiguration for another's."""
    is_new = not directory.is_dir()
    files.make_directory(directory, 0o700)
    with files.translate_os_errors(f"{directory} could not be given to {user.pw_name}"):
        if is_new and os.geteuid() == 0:
            os.chown(directory, user.pw_uid, user.pw_gid, follow_symlinks=False)
        status = directory.stat()
    if status.st_uid != user.pw_uid or status.st_mode & 0o022:
        fix = f"chown {user.pw_name} {directory}; chmod 700 {directory}"
        raise BadConfiguration(f"{directory} is not the door's alone", "The host key is kept there.", fix)


def load_or_make(directory: Path) -> asyncssh.SSHKey:
    """The key, as its owner. BadConfiguration for one that others may read, or that is none."""
    path = directory / Path(DOOR_KEY).name
    if not os.path.lexists(path):
        key = asyncssh.generate_private_key(_TYPE, comment="hivetui door")
        files.replace(path, key.export_private_key(), 0o600)
        return key
    try:
        status = path.lstat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            why = "Whoever has the host key can pass for this door."
            raise BadConfiguration(f"{path} is not private", why, f"Give it to its user alone: chmod 600 {path}")
        return asyncssh.import_private_key(path.read_bytes())
    except (OSError, asyncssh.KeyImportError) as error:
        raise BadConfiguration(
            f"{path} cannot be used", str(error), "Correct it; without it a new one is made."
        ) from error
