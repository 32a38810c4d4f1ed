"""What happened: the event log, the event stream, and the host's journal."""
