"""Caches in Redis of what PostgreSQL holds: photo cards, counters and likes."""
