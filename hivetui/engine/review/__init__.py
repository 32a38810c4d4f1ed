"""What an operator reads before a decision: commits, changed files, the difference."""
