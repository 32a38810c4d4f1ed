"""The manager's side of its door: a client that needs nothing but Python's standard library, so that a copy of
`client.py` alone works in any container.
"""
