"""A demo: a hive in a directory, in which agents start and write logs, and a manager submits proposals.

Modules: `home` (the directory of a demo), `cast` (the agents' names), `drafts` (what the manager proposes, as data),
`manager` (commits and submits it), `stage` (the process in which all this runs), `live` (the console in front of it).
The stage is a process of its own that ends with the console, however that ends: no agent outlives a demo.
"""
