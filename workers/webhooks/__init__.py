"""Webhooks without I/O: signatures, the schedule of attempts, payloads, and what a response means."""
