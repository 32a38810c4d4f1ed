"""The view of one operation: its steps and its output."""
