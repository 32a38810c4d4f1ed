"""The table of live rows and what it is made of: rows, order, column widths."""
