"""The console: wiring only."""
