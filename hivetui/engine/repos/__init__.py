"""The git repos of an agent and of the hive: the only rooms that know git.

`proposed` is untrusted: no git runs in it but a jailed upload-pack, and it is read only by `reading`. `applied` and
`meta` are the engine's own; `git` runs git in them and `objects` reads them without a process.
"""
