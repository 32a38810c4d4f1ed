"""What happens when a hive is opened, and how its problems are found.

`repair` applies what `scan` finds of earlier crashes, and `autostart` starts agents after a reboot. `warnings` lists
problems that need a decision, `doctor` checks the host itself.
"""
