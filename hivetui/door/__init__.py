"""The SSH door, `hivetui serve`: a server whose only service is the console, for the operators of the settings.

`serve` runs it, as a user without rights (`unprivileged`) and with a key of its own (`host_key`). `ssh_server` lets
operators in (`logins`), and `session` connects the channel of one to a terminal. The console in that terminal is forked
by the warm parent (`warm_parent`, another process, which `consoles` starts and tells what to do), where everything is
imported; `console_process` is what runs in it: a client of the engine's service, on behalf of the operator.
"""
