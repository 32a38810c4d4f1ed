"""The agents: their list, what is meant for each, and their lifecycle."""
