"""Periodic tasks of the janitor."""
