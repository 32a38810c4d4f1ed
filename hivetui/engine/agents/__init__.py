"""Agents: which there are, the intent of each, their lifecycle, and what is refused before it begins."""
