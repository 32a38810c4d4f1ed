"""The stand-ins for nix and nix-env."""
