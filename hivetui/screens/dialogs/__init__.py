"""Dialogs: each asks one thing and returns a value. The safe answer has the focus; nothing answers by accident."""
