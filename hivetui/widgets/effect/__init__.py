"""The effect of a proposal: as lines of text, and the view of them."""
