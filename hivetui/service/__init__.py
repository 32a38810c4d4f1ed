"""The engine as a process: it listens, finds out who each client is, and answers their requests from one hive.

`listening` makes the socket, `peers` and `roles` say who is at its other end and may do what, `connection` reads frames
and sends answers, `requests`, `streams` and `hyperhive` carry out the verbs, `tokens` remembers what was done, and
`engine` runs it all.
"""
