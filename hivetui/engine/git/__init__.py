"""Git in repositories of the engine's own; proposed repositories only by way of `untrusted`."""
