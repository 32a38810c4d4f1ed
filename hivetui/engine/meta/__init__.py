"""The meta repository: the flake that makes a system of every agent, and its lock file."""
