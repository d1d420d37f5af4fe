"""Execution of client commands: connect, subscribe, history, presence and rpc."""
