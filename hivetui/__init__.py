"""hivetui: a terminal console for a hive of coding agents on a NixOS host."""

__version__ = "0.1.0"  # as in pyproject.toml
