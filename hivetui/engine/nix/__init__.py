"""What nix is asked: evaluate, build, lock."""
