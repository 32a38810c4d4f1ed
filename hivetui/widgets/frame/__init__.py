"""The two lines that frame every screen: the title line above, the key line below."""
