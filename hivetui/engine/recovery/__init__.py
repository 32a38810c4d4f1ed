"""What earlier crashes left, what is wrong, and how each is repaired."""
