"""Requests to addresses that users or operators supply, and the circuit breakers of all outward calls."""
