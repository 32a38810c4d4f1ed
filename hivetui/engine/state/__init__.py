"""The live state of a hive, kept up to date by changes: nothing is read while nothing happens.

`parts` reads one agent, unit or operation and makes its row; `file_source` turns changes of files into what may have
changed (`Dirty`), the host's `UnitSource` does it for units; `live_state` keeps the snapshot, numbers its changes and
hands them to any number of readers. Once a minute everything is compared with the disk, to catch what no source told.
"""
