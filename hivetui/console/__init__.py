"""What the console needs below its screens: key table, themes, terminal."""
