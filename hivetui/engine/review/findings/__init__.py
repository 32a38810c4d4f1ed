"""Findings: rules over what a proposal changes.

A change is read into *subjects*: an option that is set, a line of text, a path with its mode, a node of flake.lock, a
commit message. Rules are data (`rules/*.toml`, docs/findings.md) and match subjects. Both sides are read whole and
compared, so that what did not change is no finding, however it was moved or reformatted. All work is bounded; what was
not looked at is a subject too (`unread`), for which there is a rule: unknown is never shown as unchanged.
"""
