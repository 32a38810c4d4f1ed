"""A hive that another process serves: the `Hive` protocol over a connection.

`connection` carries requests and streams over one connection, `transports` makes one (a Unix socket, or an engine that
is started as a child), `hive` is the protocol on top, and `service_choice` says whether the service is wanted.
"""
