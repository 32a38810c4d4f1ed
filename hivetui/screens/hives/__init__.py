"""Several hives in one console: the list of them, and what is in all of them as one list."""
