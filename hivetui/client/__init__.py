"""A hive that another process serves: the `Hive` protocol over a connection.

`connection` carries requests and streams over one connection, `transports` makes one (a Unix socket, or an engine that
is started as a child), `ssh` makes one to another host, and `hive` is the protocol on top.
"""
