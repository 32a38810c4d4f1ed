"""Dialogs over a screen: a question, a text, a choice, pages. Each returns a value, or None without an answer."""
