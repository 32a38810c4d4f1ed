"""The name of the public JSON format, which every output for programs carries."""

SCHEMA = "hivetui/1"
