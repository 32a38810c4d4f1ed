"""hivetui: a terminal console for a hive of coding agents on a NixOS host."""
