"""The lines that an engine and its clients exchange: frames, verbs and their members, values and errors as JSON. Pure.

Both sides import this and neither imports the other. `docs/wire.md` is generated from `verbs`.
"""
