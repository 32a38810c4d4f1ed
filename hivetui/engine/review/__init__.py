"""What an operator reads before a decision: commits, changed files, and the difference.

`overview` loads everything except the difference, `difference` streams that, `changed_files` parses git's file list.
All of it is computed in applied between two trees, with attributes, external programs, conversions and colors off:
nothing in a proposal changes how the proposal is shown.
"""
