"""What happened in a hive: the event log, the event stream, and entries in the host's journal."""
