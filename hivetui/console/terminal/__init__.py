"""Everything that depends on Textual's private parts or on the terminal itself."""
