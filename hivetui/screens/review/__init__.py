"""The review of one proposal: loading it, showing it, and deciding on exactly what was shown."""
