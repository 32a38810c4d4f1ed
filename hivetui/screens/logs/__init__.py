"""The logs of one agent or several: reading them, how much of them, and saving them."""
