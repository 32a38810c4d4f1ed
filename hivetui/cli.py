"""Verbs to engine calls to text or JSON; no logic of its own."""
