"""Embedded engines: PostgreSQL and Valkey from wheels, as child processes on unix sockets."""
