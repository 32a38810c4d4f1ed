"""The diff view and what it is made of: index, side-by-side rows, painting."""
