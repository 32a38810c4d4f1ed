"""Places below the root of a host that an engine and its clients must agree on. It imports nothing."""

HOST_SOCKET = "run/hyperhive/host.sock"
"""The socket of the engine's service."""
