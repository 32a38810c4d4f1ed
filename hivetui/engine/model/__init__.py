"""Frozen values, errors, names, settings and safe text: pure, no I/O."""
