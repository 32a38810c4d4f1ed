"""What happened in a hive: the event log, and entries in the host's journal."""
