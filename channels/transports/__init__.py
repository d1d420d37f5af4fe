"""Transports of live connections: WebSocket and HTTP streaming."""
