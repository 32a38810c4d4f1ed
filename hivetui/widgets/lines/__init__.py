"""The base of every large view: a window onto lines that paints only the visible ones."""
