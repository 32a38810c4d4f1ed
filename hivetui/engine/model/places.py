"""Places below the root of a host that an engine and its clients must agree on. It imports nothing."""

HOST_SOCKET = "run/hyperhive/host.sock"
"""The socket of the engine's service."""
DOOR_KEY = "var/lib/hyperhive/door/host_key"
"""The host key of the SSH door, in a directory that only its user can read; elsewhere where systemd says so."""
