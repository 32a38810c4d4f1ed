"""A hive in a folder in which things happen by themselves: agents come up and talk, a manager proposes.

Rooms: `home` (the folder of a demo), `cast` (who plays), `drafts` (what the manager proposes, as data), `manager` (who
commits and submits it), `stage` (the process in which all this happens), `live` (the console in front of it). The
stage is a process of its own that ends with the console, however the console ends: no agent outlives a demo.
"""
