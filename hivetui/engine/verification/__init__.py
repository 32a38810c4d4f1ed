"""Verification: does the history of a hive fit the records of its decisions? It judges and changes nothing.

`signatures` asks whose keys signed a record, and when they were allowed to; `decisions` compares a record with the tags
and objects that it describes; `history` follows the moves of `main` and the systems that run; `verify` does it all.
"""
