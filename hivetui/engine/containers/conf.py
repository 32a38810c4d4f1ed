"""The configuration of a container, `/etc/nixos-containers/<container>.conf`, of which the engine owns some keys.

The file is an environment file of systemd that is also expanded, unquoted, into the argv of systemd-nspawn: nothing
unchecked is written into it. What the engine does not own stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from io import BytesIO

from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadConfiguration, BadData, NotFound, OperationFailed
from hivetui.engine.model.names import check, container_of

_HOST_NETWORK = {
    "PRIVATE_NETWORK": "0",
    "HOST_ADDRESS": "",
    "LOCAL_ADDRESS": "",
    "HOST_ADDRESS6": "",
    "LOCAL_ADDRESS6": "",
    "HOST_BRIDGE": "",
}
"""A non-empty address would give the container a network of its own, where the host cannot reach its web port."""
_FLAGS = "EXTRA_NSPAWN_FLAGS"
_ASSIGNMENT = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)=")
_SAFE_PATH = re.compile(r"/[A-Za-z0-9_./+@-]*", re.ASCII)
"""A path without what the shell, systemd or systemd-nspawn would expand: blank, quote, $, backslash, colon."""


def list_containers(host: Host) -> list[str]:
    """The names of all containers of the host, sorted, also of those that the engine did not create."""
    with files.translate_os_errors(f"{host.paths.containers} could not be read"):
        return sorted(path.stem for path in host.paths.containers.glob("*.conf"))


def require_container(paths: Paths, name: str) -> None:
    """NotFound for an agent without a container."""
    if not paths.conf(name).exists():
        raise no_container(paths, name)


def no_container(paths: Paths, name: str) -> NotFound:
    """The error for an agent that has no container."""
    why = f"{paths.conf(name)} does not exist. The data of a destroyed agent is under {paths.library}."
    return NotFound(f"{name} has no container", why, f"Create it: hivetui spawn {name}")


def require_no_container(paths: Paths, name: str) -> None:
    """BadData when the agent's container exists, whoever created it."""
    if paths.conf(name).exists() or paths.conf(name).is_symlink():
        raise BadData(
            f"{name} already has a container",
            f"{paths.conf(name)} exists.",
            f"Rebuild it (hivetui rebuild {name}), or destroy it first (hivetui destroy {name}).",
        )


def engine_values(paths: Paths, name: str) -> dict[str, str]:
    """The keys that the engine owns, each with the value as it is written into an agent's configuration.

    BadConfiguration when the hive is at a path that cannot be written into it.
    """
    return _HOST_NETWORK | {_FLAGS: f'"{" ".join(_bind_flags(paths, name))}"'}


def _bind_flags(paths: Paths, name: str) -> Iterator[str]:
    """The flags for the agent's mounts (systemd-nspawn(1), --bind)."""
    for mount in paths.mounts(check(name)):
        if not _SAFE_PATH.fullmatch(mount.source) or not _SAFE_PATH.fullmatch(mount.inside):
            raise BadConfiguration(
                f"{mount.source!r} cannot be mounted into a container",
                "Only letters, digits and / . _ + @ - are allowed in such a path.",
                "Put the hive into another directory.",
            )
        yield f"--bind{'-ro' if mount.read_only else ''}={mount.source}:{mount.inside}"


def rewrite_conf(text: bytes, values: Mapping[str, str]) -> bytes:
    """`text` with these keys set to these values: in place where they occur, at the end where they are missing.

    Every other byte stays. An assignment may span lines, by quotes or by a backslash at the end of a line
    (systemd.exec(5), EnvironmentFile=); what looks like a key inside of it is not one. Missing keys are inserted
    before a last entry with an open quote, which would swallow them.
    """
    entries = [(_key(entry), entry) for entry in _entries(text)]
    present = {key for key, _ in entries}
    lines = [_assignment(key, values[key]) if key in values else entry for key, entry in entries]
    unfinished = [lines.pop()] if lines and _continues(lines[-1].decode("latin-1").removesuffix("\n")) else []
    missing = [_assignment(key, value) for key, value in values.items() if key not in present]
    if missing and lines and not lines[-1].endswith(b"\n"):
        lines.append(b"\n")
    return b"".join(lines + missing + unfinished)


def _assignment(key: str, value: str) -> bytes:
    return f"{key}={value}\n".encode()


def _key(entry: bytes) -> str:
    match = _ASSIGNMENT.match(entry.decode("latin-1"))
    return match[1] if match else ""


def _entries(text: bytes) -> Iterator[bytes]:
    """The assignments, comments and empty lines of an environment file, each with its last newline."""
    entry = b""
    for line in BytesIO(text):
        entry += line
        if not _continues(entry.decode("latin-1").removesuffix("\n")):
            yield entry
            entry = b""
    if entry:
        yield entry


def _continues(entry: str) -> bool:
    """Whether the next line belongs to this entry too, by the rules of systemd's parse_env_file (env-file.c).

    A quote opens only where a value begins, or a further part of it after the end of a quoted one.
    """
    match = _ASSIGNMENT.match(entry)
    if not match:
        return entry.lstrip(" \t")[:1] in ("#", ";") and (len(entry) - len(entry.rstrip("\\"))) % 2 == 1
    state, escaped = "begin", False
    for char in entry[match.end() :]:
        if escaped:
            escaped = False
        elif char == "\\" and state != "'":
            escaped, state = True, "plain" if state == "begin" else state
        else:
            state = _next_state(state, char)
    return escaped or state in ('"', "'")


def _next_state(state: str, char: str) -> str:
    """The state of a value after one more character: "begin", "plain", or the quote that is open."""
    if state == "begin":
        return char if char in ('"', "'") else "begin" if char in " \t" else "plain"
    if state in ('"', "'"):
        return "begin" if char == state else state
    return state


def write_conf(host: Host, name: str) -> bool:
    """Set the engine's keys in the configuration of an agent's container; whether that changed it.

    NotFound without a container, OperationFailed for one that the host's own configuration declares.
    """
    before = read_conf(host.paths, name)
    after = rewrite_conf(before, engine_values(host.paths, name))
    if after != before:
        files.replace(host.paths.conf(name), after)
    return after != before


def read_conf(paths: Paths, name: str) -> bytes:
    """The configuration of an agent's container; errors as for `write_conf`."""
    path = paths.conf(check(name))
    if path.is_symlink():
        raise OperationFailed(
            f"The container {container_of(name)} is declared in the host's own configuration",
            f"{path} is a symbolic link.",
            "Remove it from that configuration and rebuild the host, or use another name.",
        )
    require_container(paths, name)
    with files.translate_os_errors(f"{path} could not be read"):
        return path.read_bytes()
